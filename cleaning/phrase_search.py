# ruff: noqa: ANN001 - the types of a compiled function stand in its signature
"""Where phrases of a list stand in a column of texts: one pass, every occurrence, places in characters.

Texts and phrases are compared folded: each character by itself (full-width to half, capital to small), so places in
the folded text are places in the text. The phrases make a trie whose edges lie in one hash table; from every
character whose pair with the next one begins a phrase one walks as deep as the trie goes, which is shallow: a phrase
is a few characters long. Phrases without a character of CJK count only as whole words.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numba.types import Array, boolean, int32, int64, uint8  # type: ignore[attr-defined]

from cleaning import characters as kinds

_BELOW = 0x20000
"""Characters above fold to themselves."""
_MIX = 0x9E3779B97F4A7C15
"""Fibonacci hashing: 2⁶⁴ divided by the golden ratio."""
_WORD = 1 << 24
"""Set beside what a character folds to: it is part of a word."""
_PAIR_BITS = 18
"""What phrases begin with makes three Bloom filters of 2¹⁸ bits, small enough for a core's cache: the first two
characters of all, those of the phrases that may begin inside a word, the first three (two, of a phrase of two)."""


class Found(NamedTuple):
    """Occurrences, ordered by text and start: four int32 columns (n,), `start` and `end` in characters."""

    text: np.ndarray
    start: np.ndarray
    end: np.ndarray
    phrase: np.ndarray


@cache
def fold_table() -> np.ndarray:
    """Return int32 (0x20000,): what each code point folds to; one that would fold to several stays."""
    table = np.arange(_BELOW, dtype=np.int32)
    for code in range(_BELOW):
        character = chr(code)
        folded = unicodedata.normalize("NFKC", character)
        folded = folded.lower() if len(folded) == 1 else character.lower()
        if len(folded) == 1:
            table[code] = ord(folded)
    return table


@cache
def _code_table() -> np.ndarray:
    """Return int32 (0x20000,): `fold_table`, with `_WORD` for letters and digits of scripts with blanks, and `_`."""
    word = np.zeros(256, np.int32)
    letters = kinds.LETTERS | kinds.LATIN_EXTRA | kinds.LATIN_WIDE | kinds.GREEK | kinds.CYRILLIC
    word[sorted(letters | kinds.DIGITS | kinds.DIGIT_WIDE | kinds.of("_"))] = _WORD
    return fold_table() | word[kinds.class_table()]


def folded(text: str) -> str:
    """Return a text as it is compared; it has as many characters as before."""
    table = fold_table()
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64)
    small = codes < _BELOW
    codes[small] = table[codes[small]]
    return codes.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def is_cjk(text: str) -> bool:
    """Tell whether a text has a character of Han, kana or Hangul."""
    table, cjk = kinds.class_table(), kinds.CJK
    return any(ord(c) >= _BELOW or int(table[ord(c)]) in cjk for c in text)


def loose_pattern(phrases: Sequence[str]) -> str:
    """Return an expression (linear-time engine) that every text with one of the phrases matches, and few others."""
    wanted = {ord(c) for phrase in phrases for c in folded(phrase)}
    forms: dict[int, str] = {}
    for code in np.flatnonzero(np.isin(fold_table(), list(wanted))).tolist():
        folds_to = int(fold_table()[code])
        forms[folds_to] = forms.get(folds_to, "") + (f"\\x{{{code:x}}}" if not 0xD800 <= code < 0xE000 else "")
    either = {code: f"[{forms[code]}]" if forms.get(code) else chr(code) for code in wanted}
    return "|".join("".join(either[ord(c)] for c in folded(phrase)) for phrase in dict.fromkeys(phrases))


class PhraseSearch:
    """A list of phrases, ready to be searched for; the i-th phrase is found as number i.

    Raises:
        ValueError: an empty phrase.

    """

    def __init__(self, phrases: Sequence[str]) -> None:
        if not all(phrases):
            raise ValueError("an empty phrase")
        edges: dict[int, int] = {}
        last: list[int] = [-1]
        following = np.full(len(phrases), -1, np.int32)
        whole = [not is_cjk(phrase) for phrase in phrases]
        pairs = np.zeros((3, (1 << _PAIR_BITS) >> 3), np.uint8)
        if any(len(phrase) == 1 for phrase in phrases):
            pairs[:] = 0xFF
        for number, phrase in enumerate(phrases):
            codes = [ord(character) for character in folded(phrase)]
            for rows, first in (([0] if whole[number] else [0, 1], codes[:2]), ([2], codes[:3])):
                bit = _hash(_begin(first), _PAIR_BITS)
                pairs[rows, bit >> 3] |= 1 << (bit & 7)
            state = 0
            for code in codes:
                state = edges.setdefault((state << 21) | code, len(last))
                if state == len(last):
                    last.append(-1)
            following[number], last[state] = last[state], number
        self._pairs, self._last, self._following = pairs, np.array(last, np.int32), following
        self._keys, self._states = _hash_table(edges)
        self._whole = np.array(whole, np.bool_)

    @property
    def nbytes(self) -> int:
        """Size of its own tables in bytes."""
        arrays = (self._pairs, self._last, self._following, self._keys, self._states, self._whole)
        return sum(array.nbytes for array in arrays)

    def find(self, texts: Sequence[str]) -> Found:
        """Return every occurrence of every phrase, overlapping ones too."""
        import pyarrow as pa

        column = pa.array(texts, pa.large_string())
        _, offsets, data = column.buffers()
        if not len(texts) or data is None or not data.size:
            return Found(*np.zeros((4, 0), np.int32))
        ends, held = np.frombuffer(offsets, np.int64, len(texts) + 1), np.frombuffer(data, np.uint8)
        room = max(1024, 2 * len(texts))
        while True:
            out = np.empty((4, room), np.int32)
            size = _find(
                held, ends, _code_table(), self._pairs, self._keys, self._states, self._last, self._following,
                self._whole, out,
            )  # fmt: skip
            if size <= room:
                return Found(*out[:, :size])
            room = size


def _begin(codes: list[int]) -> int:
    """Return one number for the first two or three characters of a phrase."""
    return (codes[0] << 21 | sum(codes[1:2])) + (sum(codes[2:3]) << 42)


def _hash(key: int, bits: int) -> int:
    return ((key * _MIX) & 0xFFFFFFFFFFFFFFFF) >> (64 - bits)


def _hash_table(edges: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the edges as an open hash table at most half full: key -1 where nothing is."""
    bits = max(4, (2 * len(edges)).bit_length())
    keys, states = np.full(1 << bits, -1, np.int64), np.zeros(1 << bits, np.int32)
    for key, state in edges.items():
        at = _hash(key, bits)
        while keys[at] >= 0:
            at = (at + 1) & ((1 << bits) - 1)
        keys[at], states[at] = key, state
    return keys, states


_INT32 = Array(int32, 1, "C")
_BYTES = Array(uint8, 1, "C", readonly=True)


@njit(
    int64(
        _BYTES, Array(int64, 1, "C", readonly=True), _INT32, Array(uint8, 2, "C"), Array(int64, 1, "C"), _INT32, _INT32,
        _INT32, Array(boolean, 1, "C"), Array(int32, 2, "C"),
    ),
    cache=True, nogil=True, boundscheck=False,
)  # fmt: skip
def _find(data, ends, code_of, pairs, keys, states, last, following, whole, out):  # type: ignore[no-untyped-def]  # noqa: ANN202, C901
    # long: one loop over characters that must stay in one function to be compiled into one
    mask, shift, longest = keys.size - 1, np.uint64(64), np.int64(0)
    while keys.size >> np.int64(np.uint64(64) - shift) > 1:
        shift -= np.uint64(1)
    for text in range(ends.size - 1):
        longest = max(longest, ends[text + 1] - ends[text])
    codes = np.zeros(longest + 2, np.int32)
    size = 0
    for text in range(ends.size - 1):
        at, end, length = ends[text], ends[text + 1], 0
        while at < end:
            code = np.int32(data[at])
            if code < 0x80:
                at += 1
            elif code < 0xE0:
                code = ((code & 0x1F) << 6) | (data[at + 1] & 0x3F)
                at += 2
            elif code < 0xF0:
                code = ((code & 0x0F) << 12) | (np.int32(data[at + 1] & 0x3F) << 6) | (data[at + 2] & 0x3F)
                at += 3
            else:
                high = ((code & 0x07) << 18) | (np.int32(data[at + 1] & 0x3F) << 12)
                code = high | (np.int32(data[at + 2] & 0x3F) << 6) | (data[at + 3] & 0x3F)
                at += 4
            codes[length] = code_of[code] if code < 0x20000 else code
            length += 1
        codes[length] = codes[length + 1] = before = np.int32(0)
        for start in range(length):
            key = (np.int64(codes[start] & 0x1FFFFF) << 21) | np.int64(codes[start + 1] & 0x1FFFFF)
            bit = (np.uint64(key) * np.uint64(_MIX)) >> np.uint64(64 - _PAIR_BITS)
            inside = codes[start] & before & _WORD
            before = codes[start]
            if not (pairs[1 if inside else 0, bit >> np.uint64(3)] >> np.uint8(bit & np.uint64(7))) & 1:
                continue
            third = key + (np.int64(codes[start + 2] & 0x1FFFFF) << 42)
            bit3 = (np.uint64(third) * np.uint64(_MIX)) >> np.uint64(64 - _PAIR_BITS)
            two = pairs[2, bit >> np.uint64(3)] >> np.uint8(bit & np.uint64(7))
            if not (two | pairs[2, bit3 >> np.uint64(3)] >> np.uint8(bit3 & np.uint64(7))) & 1:
                continue
            state, place = np.int64(0), start
            while place < length:
                key = (state << 21) | np.int64(codes[place] & 0x1FFFFF)
                slot = np.int64((np.uint64(key) * np.uint64(_MIX)) >> shift)
                while keys[slot] != key and keys[slot] >= 0:
                    slot = (slot + 1) & mask
                if keys[slot] < 0:
                    break
                state, place = np.int64(states[slot]), place + 1
                phrase = last[state]
                if phrase >= 0:
                    within = inside or codes[place - 1] & codes[place] & _WORD
                    while phrase >= 0:
                        if not (within and whole[phrase]):
                            if size < out.shape[1]:
                                out[0, size], out[1, size] = text, start
                                out[2, size], out[3, size] = place, phrase
                            size += 1
                        phrase = following[phrase]
    return size
