# ruff: noqa: ANN001, ANN202 - the types of compiled functions stand in their signatures or follow from their callers
"""Texts as duplicates are compared: NFC (one way to encode accents), and one blank for every run of them.

A blank is what Unicode calls white space; those at either end go. One pass over the UTF-8 bytes folds blanks and finds
the texts that may not be in NFC already, which are few: the others have only characters that NFC leaves alone
(Quick_Check=Yes, Canonical_Combining_Class=0; Unicode Standard Annex #15).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
from numba import njit

from cleaning.duplicates.shingles import text_buffers

if TYPE_CHECKING:
    pass

# Ranges of characters that NFC leaves alone, wherever they stand; all others are asked of a library.
INERT = (
    (0x0000, 0x02FF),
    (0x0400, 0x0482),
    (0x048A, 0x052F),
    (0x2002, 0x20CF),
    (0x2200, 0x2328),
    (0x2460, 0x2ADB),
    (0x3000, 0x3029),
    (0x3030, 0x3098),
    (0x309B, 0x30FF),
    (0x3400, 0xA66E),
    (0xAC00, 0xD7A3),
    (0xFF00, 0xFFEF),
    (0x1F300, 0x1FAFF),
)

_STARTS = np.array([start for start, _ in INERT], np.int64)
_ENDS = np.array([end for _, end in INERT], np.int64)


def folded(texts: pl.Series) -> pl.Series:
    """Return texts in NFC, with one blank for each run of blanks and none at either end; null stays null."""
    data, offsets = text_buffers(texts.to_arrow())
    doubtful = pl.Series(_doubtful(data, offsets, _STARTS, _ENDS))
    if doubtful.any():
        composed = texts.filter(doubtful).str.normalize("NFC")
        texts = texts.scatter(doubtful.arg_true(), composed)
        data, offsets = text_buffers(texts.to_arrow())
    buffers = [pa.py_buffer(array) for array in _blanks(data, offsets)]
    found = pl.Series(texts.name, pa.LargeStringArray.from_buffers(len(texts), buffers[0], buffers[1]))
    if not texts.null_count():
        return found
    return pl.select(pl.when(texts.is_not_null()).then(found)).to_series().rename(texts.name)


@njit(cache=True, nogil=True)
def _doubtful(data, offsets, starts, ends):  # type: ignore[no-untyped-def]
    """Tell of which texts (n,) some character is in none of the ranges."""
    out = np.zeros(offsets.size - 1, np.bool_)
    for row in range(offsets.size - 1):
        at, last = offsets[row], offsets[row + 1]
        while at < last:
            byte = data[at]
            if byte < 0x80:
                at += 1
                continue
            if 0xE4 <= byte <= 0xE9:  # U+4000 to U+9FFF
                at += 3
                continue
            code, width = _code(data, at)
            at += width
            place = np.searchsorted(starts, code, side="right") - 1
            if code > ends[place]:
                out[row] = True
                break
    return out


@njit(cache=True, nogil=True)
def _code(data, at):  # type: ignore[no-untyped-def]
    """Return the code point of a character of more than one byte, and how many bytes it has."""
    byte, low = np.int64(data[at]), np.int64(data[at + 1]) & 63
    if byte < 0xE0:
        return (byte & 31) << 6 | low, 2
    if byte < 0xF0:
        return (byte & 15) << 12 | low << 6 | (np.int64(data[at + 2]) & 63), 3
    return (byte & 7) << 18 | low << 12 | (np.int64(data[at + 2]) & 63) << 6 | (np.int64(data[at + 3]) & 63), 4


@njit(cache=True, nogil=True)
def _blank(data, at, last):  # type: ignore[no-untyped-def]
    """Return the bytes of the blank that begins here, 0 where none does."""
    byte = data[at]
    if byte < 0x80:
        return 1 if byte == 0x20 or 9 <= byte <= 13 else 0
    if byte == 0xC2:
        return 2 if data[at + 1] == 0x85 or data[at + 1] == 0xA0 else 0
    if 0xE1 <= byte <= 0xE3 and at + 2 < last:
        code, _ = _code(data, at)
        wide = code == 0x1680 or 0x2000 <= code <= 0x200A or code == 0x2028 or code == 0x2029
        return 3 if wide or code == 0x202F or code == 0x205F or code == 0x3000 else 0
    return 0


@njit(cache=True, nogil=True)
def _blanks(data, offsets):  # type: ignore[no-untyped-def]
    """Return offsets and bytes of the texts with their blanks folded."""
    out = np.empty(offsets[-1] - offsets[0], np.uint8)
    ends = np.zeros(offsets.size, np.int64)
    made = 0
    for row in range(offsets.size - 1):
        at, last, waiting, begun = offsets[row], offsets[row + 1], False, made
        while at < last:
            byte = data[at]
            if byte <= 0x20 or 0xC2 <= byte <= 0xE3:  # all blanks begin so
                width = _blank(data, at, last)
                if width:
                    waiting = True
                    at += width
                    continue
            if waiting and made > begun:
                out[made] = 0x20
                made += 1
            waiting = False
            out[made] = byte  # the bytes that go on with a character begin no blank, so they come here one by one
            made += 1
            at += 1
        ends[row + 1] = made
    return ends, out[:made]
