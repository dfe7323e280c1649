"""Clusters of rows out of verified pairs, and each row's way to the one that survives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.uint32]


def components(count: int, left: Rows, right: Rows) -> Rows:
    """Return the smallest row of each row's cluster (count,), the same for any order of the pairs.

    Memory: 4 bytes per row.
    """
    labels = np.arange(count, dtype=np.uint32)
    _join(labels, left, right)
    return labels


def survivors(labels: Rows, scores: NDArray[np.float64]) -> Rows:
    """Return for each row the row of its cluster with the largest score (n,); the smaller row where two have it.

    Args:
        labels: of `components` (n,).
        scores: the larger the better, infinity for a row that must win (n,); no NaN.

    """
    return _survivors(labels, scores)


def neighbours(
    survivors: Rows, left: Rows, right: Rows, similarity: NDArray[np.float64]
) -> tuple[Rows, NDArray[np.float64]]:
    """Return for each row the neighbour on a shortest path to its survivor, and the similarity of the two (n,), (n,).

    Among neighbours equally near the survivor the most similar wins, then the smaller row. A survivor, and a row in
    no pair, is its own neighbour at similarity 1.

    Args:
        survivors: of `survivors` (n,).
        left: one row of each verified pair (m,).
        right: the other (m,).
        similarity: of the pair, exact (m,).

    """
    return _neighbours(survivors, left, right, similarity)


@njit(cache=True, nogil=True)
def _root(labels: Rows, row: int) -> int:
    """Return the row that a chain of labels ends in, halving the chain on the way."""
    while labels[row] != row:
        labels[row] = labels[labels[row]]
        row = labels[row]
    return row


@njit(cache=True, nogil=True)
def _join(labels: Rows, left: Rows, right: Rows) -> None:
    """Label every row with the smallest row that pairs connect it to."""
    for pair in range(left.size):
        one, other = _root(labels, left[pair]), _root(labels, right[pair])
        labels[max(one, other)] = min(one, other)
    for row in range(labels.size):
        labels[row] = labels[labels[row]]


@njit(cache=True, nogil=True)
def _survivors(labels: Rows, scores: NDArray[np.float64]) -> Rows:
    """Return the best row of each row's cluster."""
    best = labels.copy()
    for row in range(labels.size):
        if scores[row] > scores[best[labels[row]]]:
            best[labels[row]] = row
    return best[labels]


@njit(cache=True, nogil=True)
def _adjacent(count: int, left: Rows, right: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs by row: where each row's begin (count + 1,), and the number of each pair (2 m,)."""
    starts = np.zeros(count + 1, np.int64)
    for pair in range(left.size):
        starts[left[pair] + 1] += 1
        starts[right[pair] + 1] += 1
    for row in range(count):
        starts[row + 1] += starts[row]
    pairs = np.empty(2 * left.size, np.int64)
    place = starts[:-1].copy()
    for pair in range(left.size):
        for row in (left[pair], right[pair]):
            pairs[place[row]] = pair
            place[row] += 1
    return starts, pairs


@njit(cache=True, nogil=True)
def _neighbours(
    survivors: Rows, left: Rows, right: Rows, similarity: NDArray[np.float64]
) -> tuple[Rows, NDArray[np.float64]]:
    """Search breadth first from all survivors at once; each row keeps the best of the neighbours one step nearer."""
    starts, pairs = _adjacent(survivors.size, left, right)
    depth = np.empty(survivors.size, np.int64)
    nearest = np.empty(survivors.size, np.uint32)
    best = np.ones(survivors.size, np.float64)
    queue = np.empty(survivors.size, np.uint32)
    seen = 0
    for row in range(survivors.size):
        depth[row] = -1
        nearest[row] = row
        if survivors[row] == row:
            depth[row] = 0
            queue[seen] = row
            seen += 1
    head = 0
    while head < seen:
        row = queue[head]
        head += 1
        for place in range(starts[row], starts[row + 1]):
            pair = pairs[place]
            other = right[pair] if left[pair] == row else left[pair]
            if depth[other] < 0:
                depth[other] = depth[row] + 1
                best[other] = -1.0
                queue[seen] = other
                seen += 1
            if depth[other] == depth[row] + 1:
                nearer = similarity[pair] > best[other] or (similarity[pair] == best[other] and row < nearest[other])
                if nearer:
                    best[other] = similarity[pair]
                    nearest[other] = row
    return nearest, best
