"""What of a tier is taken: rows one after another, each refused by whatever is full by then.

A budget, the cap of a cluster and a quota are the same thing: room that some rows of the tier share, in rows or tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from data_pipeline.tier.choices import REST, Band, Quota
from data_pipeline.tier.families import lots

if TYPE_CHECKING:
    from data_pipeline.tier.config import TierConfig

SIMILAR = "too_similar"
SHORT = 0.01  # of what a quota wants, beyond which it is said to be short
_BLOCK = 512  # rows compared with all taken ones at a time


@dataclass(slots=True)
class Limits:
    """Rooms and what is left in them, by number."""

    reasons: list[str] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    in_tokens: list[bool] = field(default_factory=list)

    def add(self, reason: str, room: float, *, in_tokens: bool) -> int:
        """Return the number of a new room."""
        self.reasons.append(reason)
        self.left.append(room)
        self.in_tokens.append(in_tokens)
        return len(self.left) - 1

    def full(self, rooms: Sequence[int], tokens: float) -> list[str]:
        """Return which of these rooms a row of so many tokens does not fit into."""
        return [self.reasons[room] for room in rooms if self.left[room] < self._weight(room, tokens)]

    def take(self, rooms: Sequence[int], tokens: float) -> None:
        """Put a row of so many tokens into these rooms."""
        for room in rooms:
            self.left[room] -= self._weight(room, tokens)

    def _weight(self, room: int, tokens: float) -> float:
        return tokens if self.in_tokens[room] else 1


class Taken:
    """The vectors of the rows that were taken; told in blocks whether a row is like one of them."""

    def __init__(self, vectors: np.ndarray, similarity: float) -> None:
        self._vectors, self._similarity = vectors, similarity
        self._taken: list[int] = []
        self._start = -1

    def like(self, place: int) -> bool:
        """Tell whether a row's cosine to a row taken before is above the limit; places only rise."""
        start = place - place % _BLOCK
        if start != self._start:
            self._begin(start)
        return bool(self._nearest[place - start] > self._similarity)

    def take(self, place: int) -> None:
        """Take a row, after `like` was asked of it."""
        self._taken.append(place)
        np.maximum(self._nearest, self._among[place - self._start], out=self._nearest)

    def _begin(self, start: int) -> None:
        block = self._vectors[start : start + _BLOCK]
        self._start, self._among = start, block @ block.T
        self._nearest = np.full(len(block), -np.inf, np.float32)
        for first in range(0, len(self._taken), 8192):
            others = self._vectors[self._taken[first : first + 8192]]
            np.maximum(self._nearest, (block @ others.T).max(axis=1), out=self._nearest)


def in_order(rows: pl.DataFrame, first: Sequence[str], seed: int, tier: str) -> pl.DataFrame:
    """Return a tier's rows as they are taken: by the falling product of some measures, then by lot."""
    worth = pl.lit(1.0)
    for name in first:
        worth = worth * pl.col(name).cast(pl.Float64)
    drawn = rows.with_columns(lots(rows["id"], seed, f"tier:{tier}"), worth=worth)
    return drawn.sort(-pl.col("worth"), "lot", "id").drop("worth", "lot")


def choose(rows: pl.DataFrame, band: Band, config: TierConfig, vectors: np.ndarray | None) -> list[list[str]]:
    """Return why each row is refused: nothing for a row that is taken.

    Args:
        rows: of one tier, in the order in which they are taken: `id, tokens` and the columns of quotas and clusters.
        band: the tier and its budget.
        config: diversity and quotas.
        vectors: float32 [rows, dimensions] of length 1 where rows are compared, else None.

    """
    limits, rooms = _rooms(rows, band, config)
    taken = None if vectors is None else Taken(vectors, config.diversity.similarity)
    refused: list[list[str]] = []
    for place, tokens in enumerate(rows["tokens"].to_list()):
        mine = rooms[place]
        reasons = limits.full(mine, tokens)
        if not reasons and taken is not None and taken.like(place):
            reasons = [SIMILAR]
        if not reasons:
            limits.take(mine, tokens)
            if taken is not None:
                taken.take(place)
        refused.append(reasons)
    return refused


def _rooms(rows: pl.DataFrame, band: Band, config: TierConfig) -> tuple[Limits, list[list[int]]]:
    """Return all rooms, and those that each row needs room in."""
    limits = Limits()
    rooms: list[list[int]] = [[] for _ in range(rows.height)]
    if (budget := band.rows or band.tokens) is not None:
        whole = limits.add("budget_full", budget, in_tokens=band.tokens is not None)
        for mine in rooms:
            mine.append(whole)
    if config.diversity.cluster is not None:
        _clusters(lists_of(rows[config.diversity.cluster]), config, limits, rooms)
    for quota in config.quotas:
        parts = parts_of(quota, band)
        tokens = in_tokens(quota, band)
        by_value = {
            value: limits.add(f"quota_full:{quota.by}={value}", room, in_tokens=tokens) for value, room in parts.items()
        }
        for mine, values in zip(rooms, values_of(rows[quota.by], parts), strict=True):
            mine.extend(by_value[value] for value in values if value in by_value)
    return limits, rooms


def _clusters(clusters: list[list[str]], config: TierConfig, limits: Limits, rooms: list[list[int]]) -> None:
    by_cluster: dict[str, int] = {}
    cap = config.diversity.cluster_rows or config.diversity.cluster_tokens or 0
    tokens = config.diversity.cluster_tokens is not None
    for mine, values in zip(rooms, clusters, strict=True):
        for cluster in values:
            if cluster not in by_cluster:
                by_cluster[cluster] = limits.add("cluster_full", cap, in_tokens=tokens)
            mine.append(by_cluster[cluster])


def parts_of(quota: Quota, band: Band) -> dict[str, float]:
    """Return the room of each value of a quota in a tier, and for `*`, other values, what these leave of the budget.

    Without a budget in the same unit other values are not bound, unless the quota names `*` itself.
    """
    whole = band.tokens if in_tokens(quota, band) else band.rows
    if quota.share is not None:
        parts = {value: float(int(share * (whole or 0) + 1e-6)) for value, share in quota.share.items()}
    else:
        parts = {value: float(room) for value, room in (quota.rows or quota.tokens or {}).items()}
    rest = {} if whole is None else {REST: max(0.0, whole - sum(parts.values()))}
    return {**rest, **parts}


def in_tokens(quota: Quota, band: Band) -> bool:
    """Tell whether a quota counts tokens."""
    return quota.tokens is not None or (quota.share is not None and band.tokens is not None)


def values_of(column: pl.Series, parts: dict[str, float]) -> list[list[str]]:
    """Return the values of each row that a quota speaks of; `*` where it speaks of none."""
    named = [[value for value in dict.fromkeys(values) if value in parts] for values in lists_of(column)]
    return [values or [REST] for values in named]


def lists_of(column: pl.Series) -> list[list[str]]:
    """Return the values of each row as texts: of a list all, of null none."""
    if column.dtype.is_nested():
        return [[str(value) for value in values] for values in column.to_list()]
    return [[] if value is None else [str(value)] for value in column.to_list()]


def fillings(candidates: pl.DataFrame, band: Band, config: TierConfig) -> list[dict[str, Any]]:
    """Return how far each quota of a tier was filled: `by, value, unit, wanted, had, taken, short, because`.

    `because` is what refused most of the rows of a quota that is short, null when the band has no more of them.

    Args:
        candidates: the tier's rows before limits and seeds, with `tokens, reasons, taken` and the columns of quotas.
        band: the tier.
        config: the quotas.

    """
    found = []
    for quota in config.quotas:
        parts, tokens = parts_of(quota, band), in_tokens(quota, band)
        had: Counter[str] = Counter()
        taken: Counter[str] = Counter()
        refused: dict[str, Counter[str]] = {value: Counter() for value in parts}
        weights = candidates["tokens"].to_list() if tokens else [1] * candidates.height
        columns = (weights, candidates["taken"].to_list(), candidates["reasons"].to_list())
        for values, weight, kept, reasons in zip(values_of(candidates[quota.by], parts), *columns, strict=True):
            for value in (value for value in values if value in parts):
                had[value] += weight
                taken[value] += weight if kept else 0
                refused[value].update(reasons)
        for value, wanted in parts.items():
            short = int(wanted) - taken[value]
            about = {"by": quota.by, "value": value, "unit": "tokens" if tokens else "rows", "wanted": int(wanted)}
            about |= {"had": had[value], "taken": taken[value], "short": short}
            found.append({**about, "because": _most(refused[value]) if short > 0 else None})
    return found


def _most(counts: Counter[str]) -> str | None:
    """Return the most frequent, the first by name of equals; None of nothing."""
    return min(counts, key=lambda name: (-counts[name], name), default=None)
