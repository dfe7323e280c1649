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

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Texts = pa.Array | pa.ChunkedArray | Sequence[str]

Unit = Literal["character", "script"]

# Raise it with every change of what is hashed and how: signatures kept by earlier runs are then refused, not misread.
HASHING = 1

SIZE = 5
WORD_SIZE = 3

_SOLID, _LETTER, _CODE = np.uint32(1 << 31), np.uint32(1 << 30), np.uint32((1 << 21) - 1)
_PLANES = 0x20000  # above are Han up to _HAN_END, and nothing else that words are made of
_HAN_END = 0x323B0
_SOLID_RANGES = (
    (0x0E00, 0x1100),  # Thai, Lao, Tibetan, Burmese; Georgian is taken out again
    (0x1100, 0x1200),
    (0x1780, 0x1800),
    (0x3005, 0x3008),
    (0x3041, 0x3130),
    (0x3131, 0x3190),
    (0x31A0, 0x31C0),
    (0x31F0, 0x3200),
    (0x3400, 0x4DC0),
    (0x4E00, 0xA000),
    (0xA960, 0xA980),
    (0xAC00, 0xD800),
    (0xF900, 0xFB00),
    (0xFF66, 0xFFE0),
)
_GEORGIAN = (0x10A0, 0x1100)

_BASE = np.uint64(0xD6E8FEB86659FD93)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_28, _29, _32 = np.uint64(28), np.uint64(29), np.uint64(32)
_SORTED_BY_PLACE = 1 << 16
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


@cache
def word_table(unit: Unit) -> NDArray[np.uint32]:
    """Return what words are made of: per code point its lower case and two flags, or 0; empty for n-grams of characters.

    One table of 800 KB; the categories are those of Python's own Unicode version.
    """
    if unit == "character":
        return np.zeros(0, np.uint32)
    table = np.zeros(_HAN_END, np.uint32)
    for code in range(_PLANES):
        kind = unicodedata.category(chr(code))[0]
        if kind in "LMN":
            table[code] = ord(chr(code).lower()[0]) | (0 if kind == "N" else int(_LETTER))
    table[_PLANES:] = np.arange(_PLANES, _HAN_END, dtype=np.uint32) | _LETTER | _SOLID
    for start, end in _SOLID_RANGES:
        table[start:end] |= np.where(table[start:end] & _LETTER, _SOLID, np.uint32(0))
    table[slice(*_GEORGIAN)] &= ~_SOLID
    return table


@njit(cache=True, nogil=True)
def _decode(data, start, end, codes):  # type: ignore[no-untyped-def]
    """Write the code points of the UTF-8 bytes [start, end); return how many."""
    count = 0
    at = start
    while at < end:
        byte = np.int64(data[at])
        if byte < 0x80:
            codes[count] = byte
            at += 1
        elif byte >= 0xF0:
            low = (np.int64(data[at + 2]) & 63) << 6 | (np.int64(data[at + 3]) & 63)
            codes[count] = (byte & 7) << 18 | (np.int64(data[at + 1]) & 63) << 12 | low
            at += 4
        elif byte >= 0xE0:
            codes[count] = (byte & 15) << 12 | (np.int64(data[at + 1]) & 63) << 6 | (np.int64(data[at + 2]) & 63)
            at += 3
        else:
            codes[count] = (byte & 31) << 6 | (np.int64(data[at + 1]) & 63)
            at += 2
        count += 1
    return count


@njit(cache=True, nogil=True)
def _sets_blanks(codes, count, table):  # type: ignore[no-untyped-def]
    """Tell whether less than a quarter of the letters are of scripts without blanks."""
    solid = 0
    letters = 0
    for i in range(count):
        entry = table[codes[i]] if codes[i] < table.size else np.uint32(0)
        letters += (entry >> 30) & 1
        solid += entry >> 31
    return solid * 4 < letters


@njit(cache=True, nogil=True)
def _words(codes, count, table):  # type: ignore[no-untyped-def]
    """Write the hash of every word over the code points themselves; return how many."""
    words = 0
    word = np.uint64(0)
    for i in range(count):
        entry = table[codes[i]] if codes[i] < table.size else np.uint32(0)
        solid = entry >> 31
        if word != 0 and (solid or entry == 0):
            codes[words] = _mixed(word)
            words += 1
            word = np.uint64(0)
        if solid:
            codes[words] = _mixed(np.uint64(entry & _CODE))
            words += 1
        elif entry != 0:
            word = word * _BASE + np.uint64(entry & _CODE)
    if word != 0:
        codes[words] = _mixed(word)
        words += 1
    return words


@njit(cache=True, nogil=True)
def _mixed(value):  # type: ignore[no-untyped-def]
    """Return a bijection of 64 bits in which every bit moves all others."""
    value = (value ^ (value >> _28)) * _MIX_1
    value = (value ^ (value >> _29)) * _MIX_2
    return value ^ (value >> _32)


@njit(cache=True, nogil=True)
def text_shingles(data, start, end, table, size, word_size, hashes):  # type: ignore[no-untyped-def]
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
    if table.size and _sets_blanks(hashes, count, table):
        words = _words(hashes, count, table)
        if words >= word_size:
            return _ngrams(hashes, words, word_size)
        count = _decode(data, start, end, hashes)
    return _ngrams(hashes, count, size)


@njit(cache=True, nogil=True)
def _ngrams(tokens, count, size):  # type: ignore[no-untyped-def]
    """Write the hashes of all n-grams over the tokens themselves; return how many.

    By blocks, each term of the polynomial in a pass of its own: LLVM makes vector instructions of that, while a
    rolling hash waits for every product.
    """
    shingles = max(count - size + 1, 0)
    block = np.empty(_BLOCK, np.uint64)
    for start in range(0, shingles, _BLOCK):
        width = min(_BLOCK, shingles - start)
        for i in range(width):
            block[i] = tokens[start + i]
        for term in range(start + 1, start + size):
            for i in range(width):
                block[i] = block[i] * _BASE + tokens[term + i]
        for i in range(width):
            tokens[start + i] = _mixed(block[i])
    return shingles


@njit(cache=True, nogil=True)
def longest(offsets):  # type: ignore[no-untyped-def]
    """Return the length of the longest row in bytes, at least 1."""
    most = 1
    for row in range(offsets.size - 1):
        most = max(most, offsets[row + 1] - offsets[row])
    return most


@njit(cache=True, nogil=True)
def _hashes(data, offsets, table, size, word_size):  # type: ignore[no-untyped-def]
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
def _sets(data, offsets, table, size, word_size):  # type: ignore[no-untyped-def]
    """Return the offsets and ascending 64-bit hashes of a `Ragged`."""
    most = longest(offsets)
    buffer = np.empty(most, np.uint64)
    spare = np.empty(most, np.uint64)
    ends = np.zeros(offsets.size, np.int64)
    values = np.empty(1024, np.uint64)
    for row in range(offsets.size - 1):
        count = text_shingles(data, offsets[row], offsets[row + 1], table, size, word_size, buffer)
        start = ends[row]
        if start + count > values.size:
            values = _grown(values, start, start + count)
        _sort(buffer, count, spare)
        ends[row + 1] = start + _unique(spare, count, values[start:])
    return ends, values[: ends[-1]]


@njit(cache=True, nogil=True)
def _grown(values, used, needed):  # type: ignore[no-untyped-def]
    """Return the values in an array of at least twice the room."""
    wider = np.empty(max(needed, 2 * values.size), values.dtype)
    wider[:used] = values[:used]
    return wider


@njit(cache=True, nogil=True)
def _sort(values, count, out):  # type: ignore[no-untyped-def]
    """Write the hashes in ascending order: to the place that an even spread would give each, then by insertion."""
    if count > _SORTED_BY_PLACE:
        out[:count] = values[:count]
        out[:count].sort()
        return
    bits = 1
    while (1 << bits) < count:
        bits += 1
    shift = np.uint64(64 - bits)
    places = np.zeros((1 << bits) + 1, np.int32)
    for i in range(count):
        places[(values[i] >> shift) + np.uint64(1)] += 1
    for i in range(1 << bits):
        places[i + 1] += places[i]
    for i in range(count):
        place = values[i] >> shift
        out[places[place]] = values[i]
        places[place] += 1
    for i in range(1, count):
        value = out[i]
        j = i
        while j > 0 and out[j - 1] > value:
            out[j] = out[j - 1]
            j -= 1
        out[j] = value


@njit(cache=True, nogil=True)
def _unique(ascending, count, out):  # type: ignore[no-untyped-def]
    """Write each value once; return how many."""
    kept = 0
    for i in range(count):
        if i == 0 or ascending[i] != ascending[i - 1]:
            out[kept] = ascending[i]
            kept += 1
    return kept
