"""A sample of exact size over strata, drawn by a seed: every stratum is seen, large ones more.

Rows are drawn by a hash of their id and the seed, so the same rows are drawn whatever the order, the number of
workers or the partitions. Two rows with one id (copies) are told apart by their place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import polars as pl

Stratum = TypeVar("Stratum")


def drawn(seed: int) -> pl.Expr:
    """Return the expression for a row's place in the draw: the first 60 bits of its id, mixed with the seed."""
    mixed = (seed * 0x9E3779B97F4A7C15) & ((1 << 60) - 1)
    return pl.col("id").str.slice(0, 15).str.to_integer(base=16, dtype=pl.Int64) ^ mixed


def allocate(sizes: Mapping[Stratum, int], rows: int) -> dict[Stratum, int]:
    """Return how many rows of each stratum are drawn: `rows` in all, or all there are.

    Each stratum gets one as long as there are enough (larger ones first), the rest goes by size: largest remainders,
    ties by the order of `sizes`.
    """
    order = sorted((stratum for stratum, size in sizes.items() if size), key=lambda stratum: -sizes[stratum])
    given = dict.fromkeys(order[:rows], 1)
    while (left := min(rows, sum(sizes.values())) - sum(given.values())) > 0:
        room = {stratum: sizes[stratum] - given[stratum] for stratum in given if sizes[stratum] > given[stratum]}
        total = sum(room.values())
        shares = {stratum: left * space / total for stratum, space in room.items()}
        for stratum, share in shares.items():
            given[stratum] += int(share)
        rest = left - sum(int(share) for share in shares.values())
        for stratum in sorted(shares, key=lambda one: int(shares[one]) - shares[one])[:rest]:
            given[stratum] += 1
    return given
