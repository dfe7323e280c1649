"""Texts as sets of hashed shingles: n-grams of characters, or of words where a script sets blanks between them.

`unit: character` takes the n-grams over Unicode code points of the text exactly as given. `unit: script` does so for
texts of scripts without blanks (Han, kana, Hangul, Thai, Lao, Tibetan, Burmese, Khmer: a quarter or more of the
letters) and takes n-grams of words for others. A word is a longest run of letters, digits and marks, each character
lower-cased by itself; a character of those scripts is a word of its own, so no Chinese sentence is ever one token.
A text with fewer words than the size falls back to n-grams of characters; one with fewer characters than that has no
shingle at all and can only be compared exactly.

One 64-bit hash per shingle: a polynomial over the code points or word hashes, then mixed; its upper half is the
32-bit hash that signatures are made of. Different shingles share a 64-bit hash with odds of about 2^-64, so the exact
Jaccard of two rows with 400 shingles each is wrong with odds below 10^-13.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numba import njit

from cleaning.duplicates.words import BASE, mixed, sets_blanks, word_table, write_words

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from cleaning.duplicates.words import Unit

Texts: TypeAlias = "pa.Array | pa.ChunkedArray | Sequence[str]"

# Raise it with every change of what is hashed and how, and of how texts are kept: what earlier runs left is refused
# then, not misread.
HASHING = 2

SIZE = 5

# Of 3,181 English pairs with up to 5 % of their words edited 99.7 % reach Jaccard 0.7 with 3 words (99.9 % with 2, 96 %
# with 4, 85 % with 5), and as few rows of other origin are joined as with 5 (43 and 42; with 2 words 48).
WORD_SIZE = 3

_1, _2, _3, _4, _6, _7, _12, _15, _31, _32, _63 = (np.uint64(n) for n in (1, 2, 3, 4, 6, 7, 12, 15, 31, 32, 63))
_80, _E0, _F0 = np.uint64(0x80), np.uint64(0xE0), np.uint64(0xF0)
_PLACE_BITS = 20
_BLOCK = 512


class Ragged(NamedTuple):
    """Rows of unequal length: row i is `values[offsets[i]:offsets[i + 1]]`.

    Args:
        offsets: int64 (n + 1,).
        values: uint32 or uint64 (offsets[n],).

    """

    offsets: NDArray[np.int64]
    values: NDArray[Any]


def shingle_hashes(texts: Texts, unit: Unit = "character", size: int = SIZE, word_size: int = WORD_SIZE) -> Ragged:
    """Return the 32-bit hash of every shingle of each text (n,), repeated ones too, in the order of the text."""
    return Ragged(*_hashes(*text_buffers(texts), word_table(unit), size, word_size))


def shingle_sets(texts: Texts, unit: Unit = "character", size: int = SIZE, word_size: int = WORD_SIZE) -> Ragged:
    """Return the 64-bit hashes of the different shingles of each text (n,), ascending."""
    return Ragged(*_sets(*text_buffers(texts), word_table(unit), size, word_size))


def as_column(texts: Texts) -> pa.LargeStringArray:
    """Return the texts as one Arrow array of large strings; a null counts as an empty text."""
    import pyarrow as pa

    column = texts if isinstance(texts, pa.Array | pa.ChunkedArray) else pa.array(texts, pa.large_string())
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    column = column.cast(pa.large_string())
    return column.fill_null("") if column.null_count else column


def text_buffers(texts: Texts) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the UTF-8 bytes of all texts and where each begins (n + 1,), without a copy where Arrow has them so."""
    column = as_column(texts)
    if not len(column):
        return np.frombuffer(b"", np.uint8), np.frombuffer(bytes(8), np.int64)
    _, places, data = column.buffers()
    offsets = np.frombuffer(places, np.int64)[column.offset : column.offset + len(column) + 1]
    return np.frombuffer(data or b"", np.uint8), offsets


@njit(cache=True, nogil=True)
def _decode(data: NDArray[np.uint8], start: int, end: int, codes: NDArray[np.uint64]) -> int:
    """Write the code points of the UTF-8 bytes [start, end); return how many.

    Places are unsigned, for a signed one is asked at every access whether it counts from the end.
    """
    count, at, stop = np.uint64(0), np.uint64(start), np.uint64(end)
    while at < stop:
        byte = np.uint64(data[at])
        if byte < _80:
            codes[count] = byte
            at += _1
        elif byte < _E0:
            codes[count] = (byte & _31) << _6 | _tail(data, at + _1)
            at += _2
        elif byte < _F0:
            codes[count] = (byte & _15) << _12 | _tail(data, at + _1) << _6 | _tail(data, at + _2)
            at += _3
        else:
            high = (byte & _7) << _6 | _tail(data, at + _1)
            codes[count] = high << _12 | _tail(data, at + _2) << _6 | _tail(data, at + _3)
            at += _4
        count += _1
    return int(np.int64(count))


@njit(cache=True, nogil=True)
def _tail(data: NDArray[np.uint8], at: np.uint64) -> np.uint64:
    """Return the six bits of a continuation byte."""
    return np.uint64(data[at]) & _63


@njit(cache=True, nogil=True)
def text_shingles(
    data: NDArray[np.uint8],
    start: int,
    end: int,
    table: NDArray[np.uint32],
    size: int,
    word_size: int,
    hashes: NDArray[np.uint64],
) -> int:
    """Write the 64-bit hashes of the shingles of the text in bytes [start, end); return how many.

    The one buffer holds code points first, then words, then shingles: each lies at or behind what it is made of.

    Args:
        data: uint8, valid UTF-8.
        start: of the text.
        end: of the text.
        table: of `word_table`.
        size: characters in a shingle.
        word_size: words in a shingle.
        hashes: uint64, at least as long as the text has bytes.

    """
    count = _decode(data, start, end, hashes)
    if table.size and sets_blanks(hashes, count, table):
        words = write_words(hashes, count, table)
        if words >= word_size:
            return _ngrams(hashes, words, word_size)
        count = _decode(data, start, end, hashes)
    return _ngrams(hashes, count, size)


@njit(cache=True, nogil=True)
def _ngrams(tokens: NDArray[np.uint64], count: int, size: int) -> int:
    """Write the hashes of all n-grams over the tokens themselves; return how many.

    By blocks, each term of the polynomial in a pass of its own: LLVM makes vector instructions of that, while a
    rolling hash waits for every product.
    """
    shingles = max(count - size + 1, 0)
    block = np.empty(_BLOCK, np.uint64)
    for start in range(0, shingles, _BLOCK):
        out = tokens[start : min(start + _BLOCK, shingles)]
        for i in range(out.size):
            block[i] = out[i]
        for term in range(start + 1, start + size):
            tail = tokens[term : term + out.size]
            for i in range(out.size):
                block[i] = block[i] * BASE + tail[i]
        for i in range(out.size):
            out[i] = mixed(block[i])
    return shingles


@njit(cache=True, nogil=True)
def longest(offsets: NDArray[np.int64]) -> int:
    """Return the length of the longest row in bytes, at least 1."""
    most = 1
    for row in range(offsets.size - 1):
        most = max(most, offsets[row + 1] - offsets[row])
    return most


@njit(cache=True, nogil=True)
def _hashes(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], table: NDArray[np.uint32], size: int, word_size: int
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Return the offsets and 32-bit hashes of a `Ragged`."""
    buffer = np.empty(longest(offsets), np.uint64)
    ends = np.zeros(offsets.size, np.int64)
    values = np.empty(1024, np.uint32)
    for row in range(offsets.size - 1):
        count = text_shingles(data, offsets[row], offsets[row + 1], table, size, word_size, buffer)
        start = ends[row]
        ends[row + 1] = start + count
        if ends[row + 1] > values.size:
            values = _grown(values, start, ends[row + 1])
        for i in range(count):
            values[start + i] = buffer[i] >> _32
    return ends, values[: ends[-1]]


@njit(cache=True, nogil=True)
def _sets(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], table: NDArray[np.uint32], size: int, word_size: int
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Return the offsets and ascending 64-bit hashes of a `Ragged`."""
    most = longest(offsets)
    buffer, spare = np.empty(most, np.uint64), np.empty(most, np.uint64)
    places = np.empty((1 << _PLACE_BITS) + 1, np.int32)
    ends = np.zeros(offsets.size, np.int64)
    values = np.empty((offsets[-1] - offsets[0]) // 3 + 1024, np.uint64)
    for row in range(offsets.size - 1):
        count = text_shingles(data, offsets[row], offsets[row + 1], table, size, word_size, buffer)
        start = ends[row]
        if start + count > values.size:
            values = _grown(values, start, start + count)
        _sort(buffer[:count], spare, places)
        ends[row + 1] = start + _unique(spare[:count], values[start:])
    return ends, values[: ends[-1]]


@njit(cache=True, nogil=True)
def _grown(values: NDArray[Any], used: int, needed: int) -> NDArray[Any]:
    """Return the values in an array of at least twice the room."""
    wider = np.empty(max(needed, 2 * values.size), values.dtype)
    for i in range(used):
        wider[i] = values[i]
    return wider


@njit(cache=True, nogil=True)
def _sort(values: NDArray[Any], out: NDArray[np.uint64], places: NDArray[np.int32]) -> None:
    """Write the hashes in ascending order: to the place that an even spread would give each, then by insertion."""
    bits = 2
    while (1 << bits) < 2 * values.size and bits < _PLACE_BITS:
        bits += 1
    shift = np.uint64(64 - bits)
    for i in range((1 << bits) + 1):
        places[i] = 0
    for value in values:
        places[(value >> shift) + _1] += 1
    for i in range(1 << bits):
        places[i + 1] += places[i]
    for value in values:
        out[places[value >> shift]] = value
        places[value >> shift] += 1
    for i in range(1, values.size):
        value = out[i]
        j = i
        while j > 0 and out[j - 1] > value:
            out[j] = out[j - 1]
            j -= 1
        out[j] = value


@njit(cache=True, nogil=True)
def _unique(ascending: NDArray[np.uint64], out: NDArray[np.uint64]) -> int:
    """Write each value once; return how many."""
    kept = 0
    for i in range(ascending.size):
        out[kept] = ascending[i]
        kept += i + 1 == ascending.size or ascending[i] != ascending[i + 1]
    return kept
