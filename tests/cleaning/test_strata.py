"""The allocation of a sample by hand, and its promises by property."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cleaning.strata import allocate


def test_small_strata_are_seen_and_the_rest_goes_by_size() -> None:
    # one each, then 7 of 997 + 1 + 0 by size: 997/998 of 7 = 6.99 and 0.007, the remainder to the larger
    assert allocate({"kept": 998, "short": 2, "copy": 1}, 10) == {"kept": 8, "short": 1, "copy": 1}


def test_too_many_strata_leave_the_smallest_out() -> None:
    assert allocate({"a": 5, "b": 4, "c": 3}, 2) == {"a": 1, "b": 1}


@given(st.dictionaries(st.integers(0, 30), st.integers(0, 500), max_size=12), st.integers(0, 200))
def test_size_is_exact_and_no_stratum_gives_more_than_it_has(sizes: dict[int, int], rows: int) -> None:
    given_out = allocate(sizes, rows)
    assert sum(given_out.values()) == min(rows, sum(sizes.values()))
    assert all(1 <= number <= sizes[stratum] for stratum, number in given_out.items())
    filled = [stratum for stratum, size in sizes.items() if size]
    if rows >= len(filled):
        assert set(given_out) == set(filled)
