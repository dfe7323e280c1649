"""Candidate pairs against all pairs."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaning.duplicates.candidates import candidate_pairs, hopeful, hopeless, unique_pairs

# The first call may compile.
COMPILED = settings(deadline=None)

NO_SIGNATURES = np.zeros((0, 128), np.uint32)


def pairs(found) -> list[tuple[int, int]]:
    return list(zip(found[0].tolist(), found[1].tolist(), strict=True))


@COMPILED
@given(st.lists(st.integers(0, 5) | st.sampled_from([2**63, 2**64 - 1]), max_size=30))
def test_rows_with_an_equal_hash_are_pairs(hashes: list[int]) -> None:
    rows = np.arange(len(hashes), dtype=np.uint32) * 3
    found = candidate_pairs(np.array(hashes, np.uint64), rows, NO_SIGNATURES, 0.7)
    expected = [(3 * i, 3 * j) for i, j in combinations(range(len(hashes)), 2) if hashes[i] == hashes[j]]
    assert sorted(pairs(found)) == expected
    assert found[2:] == (0, 0)
    assert found.left.dtype == found.right.dtype == np.uint32


def clusters(groups: int, each: int) -> tuple[np.ndarray, np.ndarray]:
    """Return signatures of groups, in turn, whose members agree in nine of ten values, and their group."""
    draw = np.random.default_rng(2)
    group = np.tile(np.arange(groups), each)
    made = draw.integers(0, 2**32, (groups, 128), dtype=np.uint32)[group]
    noise = draw.random(made.shape) < 0.1
    return np.where(noise, draw.integers(0, 2**32, made.shape, dtype=np.uint32), made), group


def test_a_large_bucket_is_compared_with_representatives() -> None:
    signatures, group = clusters(10, 60)
    rows = np.arange(600, dtype=np.uint32)
    hashes = np.full(600, 9, np.uint64)
    found = candidate_pairs(hashes, rows, signatures, 0.7, bucket_rows=20)
    assert found[2:] == (1, 600)
    assert pairs(found) == [(row % 10, row) for row in range(10, 600)]
    assert (group[found.left] == group[found.right]).all()
    assert candidate_pairs(hashes, rows, signatures, 0.7, bucket_rows=600).left.size == 600 * 599 // 2


def test_representatives_are_as_many_as_allowed() -> None:
    signatures, _ = clusters(30, 2)
    rows = np.arange(60, dtype=np.uint32)
    found = candidate_pairs(np.zeros(60, np.uint64), rows, signatures, 0.7, bucket_rows=20)
    assert pairs(found) == [(row, row + 30) for row in range(20)]


def test_a_band_may_be_split_by_hash() -> None:
    draw = np.random.default_rng(8)
    hashes = draw.integers(0, 300, 1000, dtype=np.uint64) << np.uint64(50)
    hashes[::4] = 1 << 55
    rows, signatures = np.arange(1000, dtype=np.uint32), clusters(10, 100)[0]
    whole = candidate_pairs(hashes, rows, signatures, 0.7, 50)
    parts = [candidate_pairs(hashes[at], rows[at], signatures, 0.7, 50) for at in (hashes < 1 << 56, hashes >= 1 << 56)]
    assert sorted(pairs(whole)) == sorted(pairs(parts[0]) + pairs(parts[1]))
    assert whole[2:] == (1, (hashes == 1 << 55).sum()) == parts[0][2:]


def test_pairs_found_in_many_bands_count_once() -> None:
    left, right = np.array([3, 1, 3, 0], np.uint32), np.array([2**32 - 1, 2, 2**32 - 1, 9], np.uint32)
    assert pairs(unique_pairs(left, right)) == [(0, 9), (1, 2), (3, 2**32 - 1)]


def test_a_pair_is_skipped_six_standard_errors_below_the_threshold() -> None:
    # sqrt(0.7 * 0.3 / 128) = 0.040505; 0.7 - 6 * 0.040505 = 0.45697, which is 58.5 of 128 values.
    assert abs(hopeless(0.7, 128) - 0.45697) < 1e-5
    signatures = np.zeros((4, 128), np.uint32)
    signatures[1, 59:] = signatures[2, 58:] = signatures[3] = 1
    zero, other = np.zeros(3, np.uint32), np.array([1, 2, 3], np.uint32)
    assert hopeful(zero, other, signatures, 0.7).tolist() == [True, False, False]
    # The odds that a pair at 0.7 has 58 equal values or fewer.
    assert sum(comb(128, k) * 0.7**k * 0.3 ** (128 - k) for k in range(59)) < 1e-7
