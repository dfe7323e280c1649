# ruff: noqa: ANN001, ANN202 - the types of compiled functions stand in their signatures or follow from their callers
"""How many shingles texts share with each of many references: an inverted index, looked up text by text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cleaning.duplicates.shingles import Ragged

_FIBONACCI = np.uint64(0x9E3779B97F4A7C15)


class Index(NamedTuple):
    """Which references hold a shingle.

    Args:
        table: places of shingles by open addressing, -1 where free, int64 (a power of two,).
        keys: the different shingles, uint64 (k,).
        starts: where each shingle's references begin, int64 (k + 1,).
        references: by shingle, uint32 (number of shingles of all references,).
        sizes: shingles of each reference, int64 (r,).

    """

    table: NDArray[np.int64]
    keys: NDArray[np.uint64]
    starts: NDArray[np.int64]
    references: NDArray[np.uint32]
    sizes: NDArray[np.int64]


def index_of(sets: Ragged) -> Index:
    """Return the index of references, given as sets of 64-bit shingles."""
    sizes = np.diff(sets.offsets)
    values = np.asarray(sets.values, np.uint64)
    order = np.argsort(values, kind="stable")
    references = np.repeat(np.arange(len(sizes), dtype=np.uint32), sizes)[order]
    keys, starts = np.unique(values[order], return_index=True)
    bits = max(4, int(2 * max(1, len(keys)) - 1).bit_length())
    return Index(_table(keys, bits), keys, np.append(starts, len(values)).astype(np.int64), references, sizes)


def overlaps(
    index: Index, sets: Ragged, threshold: float, containment: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return text, reference, Jaccard and contained share of the pairs that reach either bound, by text (m,) × 4.

    Args:
        index: of the references.
        sets: 64-bit shingles of the texts (n,).
        threshold: the least Jaccard similarity.
        containment: or the least share of a reference's shingles in the text.

    """
    values = np.asarray(sets.values, np.uint64)
    found = _overlaps(*index, sets.offsets, values, threshold, containment)
    return found[0], found[1], found[2], found[3]


@njit(cache=True, nogil=True)
def _table(keys, bits):  # type: ignore[no-untyped-def]
    """Return a table of 2^bits slots that holds each key's place."""
    table = np.full(1 << bits, -1, np.int64)
    shift, mask = np.uint64(64 - bits), (1 << bits) - 1
    for place in range(keys.size):
        slot = np.int64((keys[place] * _FIBONACCI) >> shift)
        while table[slot] >= 0:
            slot = (slot + 1) & mask
        table[slot] = place
    return table


@njit(cache=True, nogil=True)
def _place(table, keys, shift, mask, value):  # type: ignore[no-untyped-def]
    """Return a shingle's place among the keys, or -1."""
    slot = np.int64((value * _FIBONACCI) >> shift)
    while table[slot] >= 0 and keys[table[slot]] != value:
        slot = (slot + 1) & mask
    return table[slot]


@njit(cache=True, nogil=True)
def _overlaps(table, keys, starts, references, sizes, offsets, values, threshold, containment):  # type: ignore[no-untyped-def]
    """Count the shared shingles of each text with all references; keep the pairs that reach a bound."""
    bits = 0
    while (1 << bits) < table.size:
        bits += 1
    shift, mask = np.uint64(64 - bits), table.size - 1
    shared, touched = np.zeros(sizes.size, np.int64), np.empty(sizes.size, np.int64)
    texts, whose, jaccard, share = [np.int64(0)], [np.int64(0)], [0.0], [0.0]  # a first one tells numba the types
    for text in range(offsets.size - 1):
        seen = 0
        for i in range(offsets[text], offsets[text + 1]):
            place = _place(table, keys, shift, mask, values[i])
            if place < 0:
                continue
            for j in range(starts[place], starts[place + 1]):
                reference = references[j]
                if shared[reference] == 0:
                    touched[seen] = reference
                    seen += 1
                shared[reference] += 1
        size = offsets[text + 1] - offsets[text]
        for i in range(seen):
            reference = touched[i]
            both = shared[reference]
            shared[reference] = 0
            alike, part = both / (size + sizes[reference] - both), both / sizes[reference]
            if alike >= threshold or part >= containment:
                texts.append(np.int64(text))
                whose.append(np.int64(reference))
                jaccard.append(alike)
                share.append(part)
    return np.array(texts)[1:], np.array(whose)[1:], np.array(jaccard)[1:], np.array(share)[1:]
