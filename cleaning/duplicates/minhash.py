"""MinHash signatures equal to datasketch's scheme `affine32`, their bands, and the odds of a collision.

A. Broder, "On the resemblance and containment of documents" (1997); https://github.com/ekzhu/datasketch, minhash.py:
each 32-bit hash goes through the finaliser of MurmurHash3 and then, per permutation, through a * h + b mod 2^32 with
an odd a; the smallest value stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from cleaning.duplicates.shingles import SIZE, WORD_SIZE, Ragged, longest, text_buffers, text_shingles
from cleaning.duplicates.words import word_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cleaning.duplicates.shingles import Texts
    from cleaning.duplicates.words import Unit

NONE = np.uint32(0xFFFFFFFF)

_FMIX_1, _FMIX_2 = np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35)
_13, _16 = np.uint32(13), np.uint32(16)
_BAND = np.uint64(0x9E3779B97F4A7C15)
_32 = np.uint64(32)
_BLOCK = 8


def signatures(hashes: Ragged, permutations: int = 128, seed: int = 1) -> NDArray[np.uint32]:
    """Return the signatures (n, permutations) of 32-bit shingle hashes; a row without any is all 2^32 - 1."""
    return _signatures(hashes.offsets, hashes.values, *permutation_factors(permutations, seed))


def text_signatures(
    texts: Texts,
    unit: Unit = "character",
    size: int = SIZE,
    word_size: int = WORD_SIZE,
    permutations: int = 128,
    seed: int = 1,
) -> NDArray[np.uint32]:
    """Return `signatures(shingle_hashes(texts))`, (n, permutations), without keeping the hashes."""
    factors = permutation_factors(permutations, seed)
    return _text_signatures(*text_buffers(texts), word_table(unit), size, word_size, *factors)


def permutation_factors(permutations: int, seed: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return datasketch's a and b (permutations,) for a seed."""
    draw = np.random.RandomState(seed)
    a = draw.randint(0, 1 << 31, permutations, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return a, draw.randint(0, 1 << 32, permutations, dtype=np.uint32)


def shingled(signatures: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Tell which rows (n,) have a shingle; the others take no part in the search."""
    return (signatures[:, :4] != NONE).any(axis=1)


def band_hashes(signatures: NDArray[np.uint32], bands: int = 21, rows: int = 6) -> NDArray[np.uint64]:
    """Return a hash per band (n, bands), laid out by column, so that one band's are contiguous.

    Raises:
        ValueError: the signatures are shorter than bands * rows.

    """
    if bands * rows > signatures.shape[1]:
        raise ValueError(f"{bands} bands of {rows} need {bands * rows} permutations, not {signatures.shape[1]}")
    return _band_hashes(signatures, bands, rows).T


def collision_curve(bands: int, rows: int, at: Sequence[float] = ()) -> list[tuple[float, float]]:
    """Return (jaccard, probability that two such rows share a band), 1 - (1 - s^r)^b; by default every 0.05."""
    return [(s, 1 - (1 - s**rows) ** bands) for s in at or [step / 20 for step in range(21)]]


@njit(cache=True, nogil=True)
def _finalised(value: np.uint32) -> np.uint32:
    """Return the finaliser of MurmurHash3 for 32 bits."""
    value = np.uint32(value ^ (value >> _16))
    value = np.uint32(value * _FMIX_1)
    value = np.uint32(value ^ (value >> _13))
    value = np.uint32(value * _FMIX_2)
    return np.uint32(value ^ (value >> _16))


@njit(cache=True, nogil=True)
def _minima(
    hashes: NDArray[np.uint32], count: int, a: NDArray[np.uint32], b: NDArray[np.uint32], out: NDArray[np.uint32]
) -> None:
    """Lower `out` to the smallest permuted value of the finalised hashes.

    Eight hashes at a time, so that a, b and the minima are loaded once for eight products; the last hash fills the
    last eight. `hashes` has room for that. LLVM makes vector instructions of the inner loop.
    """
    for i in range(count, (count + _BLOCK - 1) // _BLOCK * _BLOCK):
        hashes[i] = hashes[count - 1]
    for i in range(0, count, _BLOCK):
        h0, h1, h2, h3 = hashes[i], hashes[i + 1], hashes[i + 2], hashes[i + 3]
        h4, h5, h6, h7 = hashes[i + 4], hashes[i + 5], hashes[i + 6], hashes[i + 7]
        for k in range(out.size):
            low0 = min(np.uint32(a[k] * h0 + b[k]), np.uint32(a[k] * h1 + b[k]))
            low1 = min(np.uint32(a[k] * h2 + b[k]), np.uint32(a[k] * h3 + b[k]))
            low2 = min(np.uint32(a[k] * h4 + b[k]), np.uint32(a[k] * h5 + b[k]))
            low3 = min(np.uint32(a[k] * h6 + b[k]), np.uint32(a[k] * h7 + b[k]))
            out[k] = min(out[k], min(min(low0, low1), min(low2, low3)))


@njit(cache=True, nogil=True)
def _signatures(
    offsets: NDArray[np.int64], values: NDArray[np.uint32], a: NDArray[np.uint32], b: NDArray[np.uint32]
) -> NDArray[np.uint32]:
    """Return the signatures of hashes laid out as in a `Ragged`."""
    out = np.full((offsets.size - 1, a.size), NONE, np.uint32)
    buffer = np.empty(longest(offsets) + _BLOCK, np.uint32)
    for row in range(offsets.size - 1):
        start, count = offsets[row], offsets[row + 1] - offsets[row]
        for i in range(count):
            buffer[i] = _finalised(values[start + i])
        _minima(buffer, count, a, b, out[row])
    return out


@njit(cache=True, nogil=True)
def _text_signatures(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    table: NDArray[np.uint32],
    size: int,
    word_size: int,
    a: NDArray[np.uint32],
    b: NDArray[np.uint32],
) -> NDArray[np.uint32]:
    """Return the signatures of texts."""
    most = longest(offsets)
    hashes = np.empty(most, np.uint64)
    buffer = np.empty(most + _BLOCK, np.uint32)
    out = np.full((offsets.size - 1, a.size), NONE, np.uint32)
    for row in range(offsets.size - 1):
        count = text_shingles(data, offsets[row], offsets[row + 1], table, size, word_size, hashes)
        for i in range(count):
            buffer[i] = _finalised(np.uint32(hashes[i] >> _32))
        _minima(buffer, count, a, b, out[row])
    return out


@njit(cache=True, nogil=True)
def _band_hashes(signatures: NDArray[np.uint32], bands: int, rows: int) -> NDArray[np.uint64]:
    """Return a hash per band (bands, n)."""
    out = np.empty((bands, signatures.shape[0]), np.uint64)
    for row in range(signatures.shape[0]):
        for band in range(bands):
            value = np.uint64(band + 1) * _BAND
            for i in range(band * rows, (band + 1) * rows):
                value = (value ^ signatures[row, i]) * _BAND
                value ^= value >> _32
            out[band, row] = value
    return out
