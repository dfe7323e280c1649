"""Pairs of rows worth comparing: rows with an equal hash in one band.

In a bucket of up to `bucket_rows` rows all pairs are candidates. In a larger one each row, by number, is compared with
the bucket's representatives through the signatures and pairs with the most similar one alone; it becomes a
representative too where none reaches the threshold. There are at most `bucket_rows` of them, so that the work is
linear in the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.uint32]

BUCKET_ROWS = 1000

# A true pair's estimate falls six standard errors below the threshold less than once in 10^7 at 0.7 and 128
# permutations; such a pair is not read.
SIGMAS = 6.0

_FIBONACCI = np.uint64(0x9E3779B97F4A7C15)
_32 = np.uint64(32)


class Candidates(NamedTuple):
    """Pairs of one band, each once, and the buckets too large for all their pairs.

    Args:
        left: the smaller row of each pair, uint32 (m,).
        right: the larger, uint32 (m,).
        large_buckets: buckets over `bucket_rows`.
        large_rows: rows in them.

    """

    left: Rows
    right: Rows
    large_buckets: int
    large_rows: int


def candidate_pairs(
    hashes: NDArray[np.uint64],
    rows: Rows,
    signatures: NDArray[np.uint32],
    threshold: float,
    bucket_rows: int = BUCKET_ROWS,
) -> Candidates:
    """Return the pairs of rows with an equal hash in one band; memory 30 bytes per row and 8 per pair.

    The result is the same for any way of splitting a band by hash.

    Args:
        hashes: of one band, or of the part of it that lies in a range of hashes (m,).
        rows: whose they are, ascending (m,).
        signatures: of all rows (n, permutations), by row number; read for large buckets only.
        threshold: the Jaccard sought.
        bucket_rows: rows up to which a bucket gives all pairs, and the most representatives of a larger one.

    """
    hashes, rows = np.ascontiguousarray(hashes), np.ascontiguousarray(rows)
    found = _bucket_pairs(hashes, rows, signatures, threshold, hopeless(threshold, signatures.shape[1]), bucket_rows)
    return Candidates(*found)


def unique_pairs(left: Rows, right: Rows) -> tuple[Rows, Rows]:
    """Return each pair once, by left and right."""
    pairs = np.unique(left.astype(np.uint64) << _32 | right)
    return (pairs >> _32).astype(np.uint32), pairs.astype(np.uint32)


def hopeless(threshold: float, permutations: int) -> float:
    """Return the estimate below which a pair is not worth reading: the threshold less six standard errors."""
    return threshold - SIGMAS * float(np.sqrt(threshold * (1 - threshold) / permutations))


def hopeful(left: Rows, right: Rows, signatures: NDArray[np.uint32], threshold: float) -> NDArray[np.bool_]:
    """Tell which pairs (m,) are worth reading by the estimate from their signatures."""
    return _hopeful(left, right, signatures, hopeless(threshold, signatures.shape[1]))


@njit(cache=True, nogil=True)
def _estimate(one: Rows, other: Rows) -> float:
    """Return the share of equal values of two signatures."""
    equal = np.int32(0)
    for k in range(one.size):
        equal += np.int32(one[k] == other[k])
    return equal / one.size


@njit(cache=True, nogil=True)
def _hopeful(left: Rows, right: Rows, signatures: NDArray[np.uint32], least: float) -> NDArray[np.bool_]:
    """Tell which pairs have an estimate of at least `least`."""
    out = np.empty(left.size, np.bool_)
    for i in range(left.size):
        out[i] = _estimate(signatures[left[i]], signatures[right[i]]) >= least
    return out


@njit(cache=True, nogil=True)
def _chains(hashes: NDArray[np.uint64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return for each place the next with the same hash, or -1, and at a hash's first place how many there are, else 0.

    A table of open addresses, filled by half at most.
    """
    bits = 1
    while (1 << bits) < 2 * hashes.size:
        bits += 1
    shift, mask = np.uint64(64 - bits), (1 << bits) - 1
    table = np.full(1 << bits, -1, np.int32)
    following = np.full(hashes.size, -1, np.int32)
    last = np.empty(hashes.size, np.int32)
    sizes = np.zeros(hashes.size, np.int32)
    for i in range(hashes.size):
        slot = np.int64((hashes[i] * _FIBONACCI) >> shift)
        while table[slot] >= 0 and hashes[table[slot]] != hashes[i]:
            slot = (slot + 1) & mask
        first = table[slot]
        if first < 0:
            table[slot] = first = i
        else:
            following[last[first]] = i
        last[first] = i
        sizes[first] += 1
    return following, sizes


@njit(cache=True, nogil=True)
def _bucket_pairs(
    hashes: NDArray[np.uint64],
    rows: Rows,
    signatures: NDArray[np.uint32],
    threshold: float,
    least: float,
    bucket_rows: int,
) -> tuple[Rows, Rows, int, int]:
    """Return left, right, and the number of large buckets and of the rows in them."""
    following, sizes = _chains(hashes)
    room = 0
    for size in sizes:
        room += size * (np.int64(size) - 1) // 2 if size <= bucket_rows else size
    left, right = np.empty(room, np.uint32), np.empty(room, np.uint32)
    made = int(np.int64(0))  # no literal, for which what is called would be compiled once more
    large_buckets = large_rows = 0
    for first in range(hashes.size):
        if sizes[first] > bucket_rows:
            large_buckets += 1
            large_rows += sizes[first]
            made = _led(first, following, rows, signatures, threshold, least, bucket_rows, left, right, made)
        elif sizes[first] > 1:
            made = _all_pairs(first, following, rows, left, right, made)
    return left[:made], right[:made], large_buckets, large_rows


@njit(cache=True, nogil=True)
def _all_pairs(first: int, following: NDArray[np.int32], rows: Rows, left: Rows, right: Rows, made: int) -> int:
    """Write all pairs of a bucket; return how many pairs there are now."""
    one = first
    while one >= 0:
        other = following[one]
        while other >= 0:
            left[made], right[made] = rows[one], rows[other]
            made += 1
            other = following[other]
        one = following[one]
    return made


@njit(cache=True, nogil=True)
def _led(
    first: int,
    following: NDArray[np.int32],
    rows: Rows,
    signatures: NDArray[np.uint32],
    threshold: float,
    least: float,
    most: int,
    left: Rows,
    right: Rows,
    made: int,
) -> int:
    """Write the pairs of a large bucket's rows with representatives; return how many pairs there are now."""
    leaders = np.empty(most, np.int64)
    led = 0
    place = first
    while place >= 0:
        best, leader = -1.0, -1
        for i in range(led):
            estimate = _estimate(signatures[leaders[i]], signatures[rows[place]])
            if estimate > best:
                best, leader = estimate, leaders[i]
        if best >= least:
            left[made], right[made] = leader, rows[place]
            made += 1
        if best < threshold and led < most:
            leaders[led] = rows[place]
            led += 1
        place = following[place]
    return made
