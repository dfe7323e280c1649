"""Exact Jaccard of pairs of rows, from their sets of 64-bit shingle hashes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cleaning.duplicates.shingles import Ragged

    Rows = NDArray[np.uint32]


def shared(sets: Ragged, left: Rows, right: Rows) -> NDArray[np.int64]:
    """Return how many shingles the rows left[i] and right[i] of the sets have in common (m,)."""
    return _shared(sets.offsets, sets.values, left, right)


def jaccard(sets: Ragged, left: Rows, right: Rows) -> NDArray[np.float64]:
    """Return the Jaccard similarity of the rows left[i] and right[i] of the sets (m,); 0 for two empty ones.

    In float64, to be compared with a threshold before it is rounded: 7/10 is at least 0.7 there, and not in float32.
    """
    sizes = np.diff(sets.offsets)
    both = shared(sets, left, right)
    either = sizes[left] + sizes[right] - both
    return both / np.maximum(either, 1)


@njit(cache=True, nogil=True)
def _shared(offsets: NDArray[np.int64], values: NDArray[np.uint64], left: Rows, right: Rows) -> NDArray[np.int64]:
    """Return the number of common values of pairs of ascending rows, by merging them without a branch."""
    out = np.empty(left.size, np.int64)
    for pair in range(left.size):
        i, last_i = offsets[left[pair]], offsets[left[pair] + 1]
        j, last_j = offsets[right[pair]], offsets[right[pair] + 1]
        common = 0
        while i < last_i and j < last_j:
            one, other = values[i], values[j]
            common += one == other
            i += one <= other
            j += other <= one
        out[pair] = common
    return out
