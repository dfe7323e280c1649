# ruff: noqa: ANN001 - the types of a compiled function stand in its signature
"""Where two versions of texts differ, for a column at once."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
import pyarrow as pa
from numba import njit, void
from numba.types import Array, int32, int64, uint8  # type: ignore[attr-defined]

_BYTES, _ENDS = Array(uint8, 1, "C", readonly=True), Array(int64, 1, "C", readonly=True)


@njit(int64(_BYTES, int64, int64), cache=True, nogil=True, boundscheck=False)
@no_type_check
def _characters(data, start, end):  # noqa: ANN202
    """Return how many characters of UTF-8 begin in [start, end)."""
    found = 0
    for at in range(start, end):
        found += (data[at] & 0xC0) != 0x80
    return found


@njit(void(_BYTES, _ENDS, _BYTES, _ENDS, Array(int32, 2, "C")), cache=True, nogil=True, boundscheck=False)
@no_type_check
def _differ(old, old_ends, new, new_ends, found):  # noqa: ANN202
    for text in range(found.shape[0]):
        start, end, new_start, new_end = old_ends[text], old_ends[text + 1], new_ends[text], new_ends[text + 1]
        least, same = min(end - start, new_end - new_start), 0
        while same < least and old[start + same] == new[new_start + same]:
            same += 1
        while same and start + same < end and (old[start + same] & 0xC0) == 0x80:  # in the middle of a character
            same -= 1
        while same and new_start + same < new_end and (new[new_start + same] & 0xC0) == 0x80:
            same -= 1
        back = 0
        while back < least - same and old[end - back - 1] == new[new_end - back - 1]:
            back += 1
        while back and (old[end - back] & 0xC0) == 0x80:
            back -= 1
        before = _characters(old, start, start + same)
        found[text, 0] = before
        found[text, 1] = before + _characters(old, start + same, end - back)
        found[text, 2] = before + _characters(new, new_start + same, new_end - back)


def differences(before: pa.LargeStringArray, after: pa.LargeStringArray) -> np.ndarray:
    """Return int32 (n, 3): [start, end) of each text before and [start, end2) after; all that differs lies in them."""
    found = np.zeros((len(before), 3), np.int32)
    if len(before):
        columns = []
        for texts in (before, after):
            _, ends, data = texts.buffers()
            held = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
            columns += [held, np.frombuffer(ends, np.int64)[texts.offset : texts.offset + len(texts) + 1]]
        _differ(*columns, found)
    return found
