"""Exact Jaccard against Python's sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaning.duplicates.shingles import Ragged, shingle_sets
from cleaning.duplicates.similarity import jaccard, shared

# The first call may compile.
COMPILED = settings(deadline=None)

SETS = st.lists(st.sets(st.integers(0, 12) | st.integers(0, 2**64 - 1), max_size=15), min_size=1, max_size=6)


@COMPILED
@given(SETS)
def test_pairs_of_sets(sets: list[set[int]]) -> None:
    offsets = np.cumsum([0, *map(len, sets)]).astype(np.int64)
    ragged = Ragged(offsets, np.array([value for one in sets for value in sorted(one)], np.uint64))
    pairs = np.array([(i, j) for i in range(len(sets)) for j in range(len(sets))], np.uint32)
    left, right = pairs[:, 0].copy(), pairs[:, 1].copy()
    expected = [len(sets[i] & sets[j]) for i, j in pairs]
    assert shared(ragged, left, right).tolist() == expected
    unions = [max(len(sets[i] | sets[j]), 1) for i, j in pairs]
    assert jaccard(ragged, left, right).tolist() == [a / b for a, b in zip(expected, unions, strict=True)]


@COMPILED
@given(st.lists(st.text("ab你😀", max_size=40), min_size=2, max_size=2))
def test_pairs_of_texts(texts: list[str]) -> None:
    one, other = ({text[i : i + 3] for i in range(len(text) - 2)} for text in texts)
    expected = len(one & other) / max(len(one | other), 1)
    row = np.arange(2, dtype=np.uint32)
    assert jaccard(shingle_sets(texts, size=3), row[:1], row[1:]).tolist() == [expected]


def test_seven_tenths_reach_a_threshold_of_seven_tenths() -> None:
    ragged = Ragged(np.array([0, 10, 17]), np.array([*range(10), *range(7)], np.uint64))
    row = np.arange(2, dtype=np.uint32)
    assert jaccard(ragged, row[:1], row[1:])[0] >= 0.7
    assert float(np.float32(0.7)) < 0.7
