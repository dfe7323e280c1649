# ruff: noqa: ANN001 - the types of a compiled function stand in its signature
"""Line ends, blanks before them, runs of empty lines and the edges of texts, for a column at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import no_type_check

import numpy as np
from numba import njit, void
from numba.types import Array, boolean, int32, int64, uint8  # type: ignore[attr-defined]

_BYTES, _BOOLS, _PLACES = Array(uint8, 1, "C"), Array(boolean, 1, "C"), Array(int64, 1, "C")
_READ = Array(uint8, 1, "C", readonly=True)


@njit(int64(_BYTES, int64, int64), cache=True, nogil=True, boundscheck=False)
@no_type_check
def _blank_before(out, start, end):  # noqa: ANN202
    """Return the bytes of the blank (space, tab, U+3000, U+00A0) that ends at a place, 0 for none."""
    if end > start and (out[end - 1] == 0x20 or out[end - 1] == 0x09):
        return 1
    if end - start >= 2 and out[end - 1] == 0xA0 and out[end - 2] == 0xC2:
        return 2
    return 3 * (end - start >= 3 and out[end - 1] == 0x80 and out[end - 2] == 0x80 and out[end - 3] == 0xE3)


@njit(int64(_BYTES, int64, int64), cache=True, nogil=True, boundscheck=False)
@no_type_check
def _blank_at(out, at, end):  # noqa: ANN202
    """Return the bytes of the blank that begins at a place, 0 for none."""
    if at < end and (out[at] == 0x20 or out[at] == 0x09):
        return 1
    if end - at >= 2 and out[at] == 0xC2 and out[at + 1] == 0xA0:
        return 2
    return 3 * (end - at >= 3 and out[at] == 0xE3 and out[at + 1] == 0x80 and out[at + 2] == 0x80)


@njit(
    void(
        _READ, Array(int64, 1, "C", readonly=True), _BOOLS, _BOOLS, int64,
        _BYTES, _PLACES, _PLACES, Array(int32, 1, "C"),
    ),
    cache=True, nogil=True, boundscheck=False,
)  # fmt: skip
@no_type_check
def _tidy(data, ends, opens, closes, most, out, starts, stops, counts):  # noqa: ANN202, C901
    for text in range(ends.size - 1):
        at, last, start = ends[text], ends[text + 1], ends[text]  # a text never grows, so it is written in its place
        end, changes, dropped = start, 0, -1
        while at < last:
            code = data[at]
            at += 1
            if code == 0x0D:
                changes += 1
                at += at < last and data[at] == 0x0A
            elif code != 0x0A:
                out[end] = code
                end += 1
                continue
            stripped = end
            size = _blank_before(out, start, end)
            while size:
                end -= size
                size = _blank_before(out, start, end)
            changes += stripped > end
            lines = 0
            while lines < most and end - lines > start and out[end - lines - 1] == 0x0A:
                lines += 1
            if lines < most:
                out[end] = 0x0A
                end += 1
            elif dropped != end:  # counted once, however many lines follow
                changes, dropped = changes + 1, end
        if opens[text]:
            head, seen = start, start
            while seen < end:
                size = 1 if out[seen] == 0x0A else _blank_at(out, seen, end)
                if not size:
                    break
                seen += size
                if out[seen - 1] == 0x0A:
                    head = seen
            changes += head > start
            start = head
        if closes[text]:
            stripped = end
            size = 1
            while size and end > start:
                size = 1 if out[end - 1] == 0x0A else _blank_before(out, start, end)
                end -= size
            changes += stripped > end
        starts[text], stops[text], counts[text] = start, end, changes


def tidied(
    texts: Sequence[str], opens: Sequence[bool], closes: Sequence[bool], keep: int
) -> tuple[list[str], list[int]]:
    r"""Return the texts tidied, and how many changes each took.

    Every line end becomes `\n`; blanks before one go, and more than `keep` empty lines in a row; where a text opens,
    empty lines at its head; where it closes, blanks and line ends at its tail. Each line stripped, each run and each
    edge counts once.
    """
    import pyarrow as pa

    size = len(texts)
    _, offsets, held = pa.array(texts, pa.large_string()).buffers()
    if held is None or not held.size:
        return list(texts), [0] * size
    ends = np.frombuffer(offsets, np.int64)[: size + 1]
    data = np.frombuffer(held, np.uint8)
    out, starts, stops, counts = (
        np.empty(data.size, np.uint8), np.empty(size, np.int64), np.empty(size, np.int64), np.zeros(size, np.int32),
    )  # fmt: skip
    _tidy(data, ends, np.array(opens, bool), np.array(closes, bool), keep + 1, out, starts, stops, counts)
    written, after = out.tobytes(), list(texts)
    for text in np.flatnonzero(counts).tolist():
        after[text] = written[starts[text] : stops[text]].decode()
    return after, counts.tolist()
