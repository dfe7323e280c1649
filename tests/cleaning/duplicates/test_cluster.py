"""Clusters against plain Python."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaning.duplicates.cluster import components, neighbours, survivors

# The first call may compile.
COMPILED = settings(deadline=None)

COUNT = 12
EDGE = st.tuples(st.integers(0, COUNT - 1), st.integers(0, COUNT - 1)).filter(lambda pair: pair[0] != pair[1])
EDGES = st.lists(EDGE, unique_by=lambda pair: frozenset(pair), max_size=20)


def rows(values: list[int]) -> np.ndarray:
    return np.array(values, np.uint32)


def ends(edges: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return rows([one for one, _ in edges]), rows([other for _, other in edges])


def reached(edges: list[tuple[int, int]], start: int) -> dict[int, int]:
    """Return how many steps each row that can be reached is away."""
    steps, front = {start: 0}, [start]
    while front:
        beyond = {b for pair in edges for a, b in (pair, pair[::-1]) if a in front} - steps.keys()
        steps |= dict.fromkeys(beyond, steps[front[0]] + 1)
        front = list(beyond)
    return steps


@COMPILED
@given(EDGES, st.randoms(use_true_random=False))
def test_a_cluster_is_what_pairs_connect_in_any_order(edges: list[tuple[int, int]], random) -> None:
    found = components(COUNT, *ends(edges))
    assert found.tolist() == [min(reached(edges, row)) for row in range(COUNT)]
    mixed = [random.choice([pair, pair[::-1]]) for pair in edges]
    random.shuffle(mixed)
    assert components(COUNT, *ends(mixed)).tolist() == found.tolist()


@COMPILED
@given(EDGES, st.lists(st.sampled_from([-np.inf, 0.0, 1.5, 2.0, np.inf]), min_size=COUNT, max_size=COUNT))
def test_the_best_row_survives_and_the_first_of_equals(edges: list[tuple[int, int]], scores: list[float]) -> None:
    found = survivors(components(COUNT, *ends(edges)), np.array(scores))
    for row in range(COUNT):
        cluster = reached(edges, row)
        assert found[row] == max(cluster, key=lambda member: (scores[member], -member))


@COMPILED
@given(EDGES, st.lists(st.sampled_from([0.7, 0.8, 0.9]), min_size=20, max_size=20), st.randoms(use_true_random=False))
def test_the_neighbour_is_the_best_of_those_one_step_nearer(edges, similar: list[float], random) -> None:
    lines = [(one, other, value) for (one, other), value in zip(edges, similar, strict=False)]
    kept = survivors(components(COUNT, *ends(edges)), np.array([row * 5 % 7 for row in range(COUNT)], np.float64))
    for _ in range(2):
        left, right = ends([line[:2] for line in lines])
        nearest, best = neighbours(kept, left, right, np.array([line[2] for line in lines], np.float64))
        for row in range(COUNT):
            steps = reached(edges, int(kept[row]))
            around = [(a + b - row, value) for a, b, value in lines if row in (a, b)]
            nearer = [(value, -other) for other, value in around if steps[other] == steps[row] - 1]
            value, other = max(nearer, default=(1.0, -row))
            assert (nearest[row], best[row]) == (-other, value)
        random.shuffle(lines)
        lines = [(other, one, value) for one, other, value in lines]


def test_a_chain_of_rows_survives_by_one() -> None:
    count = 100_000
    one = np.arange(count - 1, dtype=np.uint32)[::-1]
    labels = components(count, one, one + np.uint32(1))
    assert not labels.any()
    kept = survivors(labels, np.zeros(count))
    nearest, _ = neighbours(kept, one, one + np.uint32(1), np.ones(count - 1))
    assert nearest.tolist() == [0, *range(count - 1)]
