# ruff: noqa: ANN001, ANN202 - the types of compiled functions stand in their signatures
r"""Pieces of text that follow each other in copies, found in one pass over a column of UTF-8.

The back-reference `(\D{3,}?)\1+` tries every length at every place. Here a first pass asks for each distance whether a
text goes on alike long enough: it need look at a few bytes only once in that length. In the few texts that do, a
table of where each few bytes come next leads to the exact places, and how far a text goes on alike is compared once.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
from numba import njit, void
from numba.types import Array, boolean, int64, uint8  # type: ignore[attr-defined]

_SHORTEST = 3
_DIGIT, _LETTER = 1, 2
_BELOW = 0x20000
_SLOTS = 4096
_FAR = np.iinfo(np.int64).max


def collapse(
    texts: Sequence[str], longest: int = 64, copies: int = 2, characters: int = 6, letters: bool = False
) -> dict[int, tuple[str, int]]:
    """Keep one of the copies of each repeated piece.

    A piece is the shortest at the leftmost place that has 3 to `longest` characters, no decimal digit, a letter if
    `letters`, and stands at least `copies` times in a row with at least `characters` characters in all.

    Returns:
        By number of each text that changed: the text after, and how many repetitions it had.

    """
    held, ends = _buffers(texts)
    if not held.size:
        return {}
    lengths = _lengths(longest, copies, characters)
    suspect = np.zeros(len(texts), np.bool_)
    _suspect(held, ends, lengths, longest, suspect)
    least = int(lengths[_SHORTEST:].min())
    removed = np.empty((int(ends[-1]) // (2 * _SHORTEST) + 1, 3), np.int64)
    found = np.zeros(1, np.int64)
    _find(held, ends, suspect, letter_table(), longest, copies, characters, letters, min(least, 8), removed, found)
    spans: dict[int, list[tuple[int, int]]] = {}
    for text, start, end in removed[: found[0]].tolist():
        spans.setdefault(text, []).append((start, end))
    return {text: (_without(texts[text].encode(), own), len(own)) for text, own in spans.items()}


def suspects(texts: Sequence[str], longest: int = 64, copies: int = 2, characters: int = 6) -> np.ndarray:
    """Tell which texts may have a repeated piece (bool, one per text); `collapse` changes no other."""
    held, ends = _buffers(texts)
    suspect = np.zeros(len(texts), np.bool_)
    if held.size:
        _suspect(held, ends, _lengths(longest, copies, characters), longest, suspect)
    return suspect


def _buffers(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the texts' UTF-8 end to end, and where each ends (n + 1,)."""
    import pyarrow as pa

    _, offsets, data = pa.array(texts, pa.large_string()).buffers()
    if data is None or not data.size:
        return np.zeros(0, np.uint8), np.zeros(len(texts) + 1, np.int64)
    return np.frombuffer(data, np.uint8), np.frombuffer(offsets, np.int64, len(texts) + 1)


def _lengths(longest: int, copies: int, characters: int) -> np.ndarray:
    """Return, for each distance in bytes, how far a text must go on alike."""
    distances = np.arange(4 * longest + 1)
    lengths: np.ndarray = distances * (np.maximum(copies, -(-characters // np.maximum(distances, 1))) - 1)
    return lengths


def _without(text: bytes, spans: list[tuple[int, int]]) -> str:
    edges = [0, *(edge for span in spans for edge in span), len(text)]
    return b"".join(text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)).decode()


@cache
def letter_table() -> np.ndarray:
    """Return uint8 per code point below 0x20000: 1 for a decimal digit, 2 for a letter, 0 for others."""
    kinds = {"Nd": _DIGIT, "L": _LETTER}
    names = [unicodedata.category(chr(code)) for code in range(_BELOW)]
    return np.array([kinds.get(name if name == "Nd" else name[0], 0) for name in names], np.uint8)


_BYTES = Array(uint8, 1, "C", readonly=True)


@njit(boolean(_BYTES, int64, int64, int64, Array(int64, 1, "C")), cache=True, nogil=True, boundscheck=False)
def _goes_on(own, at, low, high, lengths):  # type: ignore[no-untyped-def]
    """Tell whether the stretch around a place is alike for long enough at one of the distances from low to high."""
    for distance in range(low, high + 1):
        length, start, end = lengths[distance], at, at
        while end + distance < own.size and own[end] == own[end + distance] and end - start < length:
            end += 1
        while start > 0 and own[start - 1] == own[start - 1 + distance] and end - start < length:
            start -= 1
        if end - start >= length:
            return True
    return False


@njit(
    void(_BYTES, Array(int64, 1, "C", readonly=True), Array(int64, 1, "C"), int64, Array(boolean, 1, "C")),
    cache=True, nogil=True, boundscheck=False,
)  # fmt: skip
def _suspect(data, ends, lengths, longest, suspect):  # type: ignore[no-untyped-def]
    """Mark the texts that go on alike for `lengths[distance]` bytes at some distance.

    Distances are taken in octaves: from a place in every few, so close that each long enough stretch holds one, all
    distances of an octave are compared at once by four bytes (three where stretches are that short).
    """
    for text in range(ends.size - 1):
        own = data[ends[text] : ends[text + 1]]
        size = own.size
        highest = np.uint8(0)
        for at in range(size):
            highest = max(highest, own[at])
        width = 1 if highest < 0x80 else 2 if highest < 0xE0 else 3 if highest < 0xF0 else 4
        farthest = min(longest * width, size // 2)
        low = _SHORTEST
        while low <= farthest and not suspect[text]:
            high = min(2 * low - 1, farthest)
            least = lengths[low]
            for distance in range(low, high + 1):
                least = min(least, lengths[distance])
            word = 4 if least >= 6 else 3
            for at in range(0, size - low - word + 1, least - word + 1):
                last = min(high, size - word - at)
                a, b, c, d = own[at], own[at + 1], own[at + 2], own[at + word - 1]
                behind = own[at + low : at + last + word]
                met = False
                for nth in range(last - low + 1):
                    met |= (
                        (behind[nth] == a) & (behind[nth + 1] == b) & (behind[nth + 2] == c)
                        & (behind[nth + word - 1] == d)
                    )  # fmt: skip
                if met and _goes_on(own, at, low, last, lengths):
                    suspect[text] = True
                    break
            low = high + 1


@njit(
    void(_BYTES, int64, int64, Array(uint8, 1, "C"), Array(int64, 2, "C")),
    cache=True, nogil=True, boundscheck=False,
)  # fmt: skip
def _measure(data, start, end, kind_of, marks):  # type: ignore[no-untyped-def]
    """Write for each byte of a text: its character's number, the next digit's place, the next letter's place."""
    number, at = np.int64(0), start
    while at < end:
        lead = np.int64(data[at])
        size = 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        code = lead if size == 1 else lead & (0x7F >> size)
        for nth in range(1, size):
            code = (code << 6) | np.int64(data[at + nth] & 0x3F)
        kind = kind_of[code] if code < _BELOW else _LETTER
        for nth in range(size):
            marks[at + nth - start, 0] = number
            marks[at + nth - start, 1] = kind
        number += 1
        at += size
    marks[end - start, 0] = number
    digit, letter = _FAR, _FAR
    for at in range(end - 1, start - 1, -1):
        kind = marks[at - start, 1]
        digit = at if kind == _DIGIT else digit
        letter = at if kind == _LETTER else letter
        marks[at - start, 1], marks[at - start, 2] = digit, letter


@njit(
    void(
        _BYTES, Array(int64, 1, "C", readonly=True), Array(boolean, 1, "C"), Array(uint8, 1, "C"), int64, int64, int64,
        boolean, int64, Array(int64, 2, "C"), Array(int64, 1, "C"),
    ),
    cache=True, nogil=True, boundscheck=False,
)  # fmt: skip
def _find(  # type: ignore[no-untyped-def]  # noqa: C901
    data, ends, suspect, kind_of, longest, copies, characters, letters, gram, removed, found
):  # fmt: skip
    # long: the parts share the tables of one pass
    mask = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - 8 * gram)
    reach = 4 * longest  # bytes of the longest piece
    size = np.int64(0)
    for text in range(ends.size - 1):
        if suspect[text]:
            size = max(size, ends[text + 1] - ends[text])
    table = np.full(_SLOTS, _FAR, np.int64)
    later = np.empty(size + 1, np.int64)  # the next place with the same few bytes, or the same slot
    alike = np.zeros((reach + 1, 2), np.int64)  # by distance: where the text was compared from, and alike up to
    marks = np.empty((size + 1, 3), np.int64)
    for text in range(ends.size - 2, -1, -1):  # from the right, so that what the table holds lies behind
        start, end = ends[text], ends[text + 1]
        if not suspect[text]:
            continue
        window = np.uint64(0)
        for at in range(end - 1, start - 1, -1):
            window = ((window << np.uint64(8)) | np.uint64(data[at])) & mask
            slot = (window * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(52)
            behind = table[slot]
            table[slot] = at
            later[at - start] = behind
        measured = False
        alike[:] = -1
        at = start
        while at < end - _SHORTEST:
            other, taken = later[at - start], False
            while other - at <= reach and other < end:
                distance = other - at
                if not (alike[distance, 0] <= at <= alike[distance, 1] and alike[distance, 0] >= 0):
                    to = at
                    while to + distance < end and data[to] == data[to + distance]:
                        to += 1
                    alike[distance, 0], alike[distance, 1] = at, to
                times = (alike[distance, 1] - at) // distance + 1
                if times >= copies and (data[at] & 0xC0) != 0x80:
                    if not measured:
                        _measure(data, start, end, kind_of, marks)
                        measured = True
                    length = marks[other - start, 0] - marks[at - start, 0]
                    if (
                        _SHORTEST <= length <= longest
                        and times * length >= characters
                        and marks[at - start, 1] >= other
                        and (not letters or marks[at - start, 2] < other)
                    ):
                        removed[found[0], 0] = text
                        removed[found[0], 1] = other - start
                        removed[found[0], 2] = at + times * distance - start
                        found[0] += 1
                        at += times * distance
                        taken = True
                        break
                other = later[other - start]
            if not taken:
                at += 1
