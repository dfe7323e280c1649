"""Diverse good rows first: DEITA's selection (Liu and others, arXiv 2312.15685, "repr filter").

Rows are taken by falling score; one is passed over when its cosine to a row that was taken exceeds a limit; it ends
when the budget is full.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field

from data_pipeline.attributes.base import AttributeKeys, as_table
from data_pipeline.attributes.kinds.embedding import vectors_of
from utils.errors import UserError

_BLOCK = 512  # rows compared at once with all that were taken
TAKEN, NEAR, BUDGET, NO_SCORE, NO_EMBEDDING = range(5)
_REASONS = (None, "near", "budget", "no_score", "no_embedding")


class Diversity(AttributeKeys):
    """Which rows a diverse selection takes, and in which order.

    | column | meaning |
    |---|---|
    | `rank` | place in the selection, from 0; null for a row that is not taken |
    | `reason` | why it is not: `near`, `budget`, `no_score`, `no_embedding` |
    | `near` | id of the taken row that a `near` row lies closest to |
    | `cosine` | to the closest row that was taken before; null for the first and for rows not looked at |

    With a budget, rows behind it are not compared. Without one, the work grows with rows × taken rows.
    """

    version: ClassVar[int] = 1
    scope: ClassVar[Literal["rows", "all"]] = "all"
    summarised: ClassVar[tuple[str, ...]] = ("rank", "reason")

    kind: Literal["diversity"] = "diversity"
    embedding: str = "embedding"
    """Name of the embedding."""
    score: tuple[str, ...] = ("text_statistics.distinct_share",)
    """Columns `attribute.column` whose product is the score, DEITA's quality and complexity; higher is taken first."""
    max_cosine: float = Field(default=0.9, gt=0, le=1)
    """A row closer than this to a taken one is passed over. DEITA's 0.9 was chosen for an embedding of meaning."""
    budget: float | None = Field(default=None, gt=0)
    """Rows to take, or of `cost` to spend: it ends before the row that would exceed it. By default, no end."""
    cost: str | None = None
    """A column `attribute.column` that is spent, such as `text_statistics.tokens_estimate`; by default a row is 1."""

    @property
    def key(self) -> str:
        """The attribute's name."""
        return self.name or self.kind

    @property
    def needs(self) -> tuple[str, ...]:
        """The embedding, and the attributes that score and cost come from."""
        named = [column.partition(".")[0] for column in (*self.score, *([self.cost] if self.cost else []))]
        return tuple(dict.fromkeys([self.embedding, *named]))

    def measure(self, rows: pl.DataFrame, given: Mapping[str, pa.Table], seed: int) -> pa.Table:
        """Return `id, rank, reason, near, cosine`, one row per row."""
        vectors, valid = vectors_of(given[self.embedding])
        score = np.prod([numbers(given, column) for column in self.score], axis=0) if self.score else np.ones(len(rows))
        cost = numbers(given, self.cost) if self.cost else np.ones(len(rows))
        scored = np.isfinite(score) & np.isfinite(cost)
        usable = np.flatnonzero(valid & scored)
        place = np.cumsum(valid) - 1  # of a row among the vectors
        order = usable[np.argsort(-score[usable], kind="stable")]
        taken = select(vectors[place[order]], cost[order], self.max_cosine, self.budget)
        reason = np.where(valid, NO_SCORE, NO_EMBEDDING)
        reason[order] = taken.reason
        ids = rows["id"].to_list()
        near = {int(row): ids[order[other]] for row, other in zip(order, taken.near, strict=True) if other >= 0}
        return as_table(
            pl.DataFrame(
                {
                    "id": rows["id"],
                    "rank": _spread(order, [int(at) if at >= 0 else None for at in taken.rank], rows.height, pl.Int64),
                    "reason": pl.Series([_REASONS[code] for code in reason], dtype=pl.String),
                    "near": pl.Series([near.get(row) for row in range(rows.height)], dtype=pl.String),
                    "cosine": _spread(
                        order, [None if np.isnan(at) else float(at) for at in taken.cosine], rows.height, pl.Float32
                    ),
                }
            )
        )

    def summary(self, table: pl.DataFrame) -> dict[str, Any]:
        """Return how many rows are taken, and why the others are not."""
        reasons = table["reason"].drop_nulls().value_counts().rows()
        return {"taken": int(table["rank"].count()), "not_taken": dict(sorted(reasons))}


class Selection(NamedTuple):
    """For n rows in the order in which they are asked.

    Args:
        rank: place among the taken rows, -1 for one that is not; int64 [n].
        reason: TAKEN, NEAR or BUDGET; int8 [n].
        near: the taken row that a NEAR row is closest to, else -1; int64 [n].
        cosine: to the closest row that was taken before, NaN where there was none or none was asked; float32 [n].

    """

    rank: np.ndarray
    reason: np.ndarray
    near: np.ndarray
    cosine: np.ndarray


def select(vectors: np.ndarray, cost: np.ndarray, max_cosine: float, budget: float | None) -> Selection:
    """Take rows in order, as far as they are unlike what was taken, until the budget is full.

    Args:
        vectors: float32 [n, d] of length 1, best row first.
        cost: of each row, float64 [n].
        max_cosine: a row with a higher cosine to a taken one is passed over.
        budget: sum of costs that is not exceeded; the first row that would exceed it ends the selection.

    """
    n = len(vectors)
    found = Selection(np.full(n, -1), np.full(n, BUDGET, np.int8), np.full(n, -1), np.full(n, np.nan, np.float32))
    beside, rows, spent = np.zeros_like(vectors), np.zeros(n, dtype=np.int64), 0.0
    count = 0
    for start in range(0, n, _BLOCK):
        block = vectors[start : start + _BLOCK]
        before = count
        earlier = block @ beside[:before].T
        among = block @ block.T
        for at in range(len(block)):
            row = start + at
            inside = among[at, rows[before:count] - start]
            cosines = np.concatenate([earlier[at], inside])
            closest = int(cosines.argmax()) if len(cosines) else -1
            if closest >= 0:
                found.cosine[row] = min(cosines[closest], 1)
            if closest >= 0 and cosines[closest] > max_cosine:
                found.reason[row], found.near[row] = NEAR, rows[closest]
                continue
            if budget is not None and spent + cost[row] > budget:
                found.cosine[row] = np.nan
                return found
            spent += cost[row]
            found.rank[row], found.reason[row] = count, TAKEN
            beside[count], rows[count] = block[at], row
            count += 1
    return found


def numbers(given: Mapping[str, pa.Table], name: str) -> np.ndarray:
    """Return a column `attribute.column` as float64 [n], NaN where it is null.

    Raises:
        UserError: there is no such column, or it holds no numbers.

    """
    attribute, _, column = name.partition(".")
    table = given[attribute]
    if column not in table.column_names:
        raise UserError(f"no column {name}", where="diversity", mend=f"there are {', '.join(table.column_names[1:])}")
    if not (pa.types.is_floating(table[column].type) or pa.types.is_integer(table[column].type)):
        raise UserError(f"{name} holds no numbers", where="diversity")
    return pl.Series(table[column].to_pylist(), dtype=pl.Float64, strict=False).fill_null(np.nan).to_numpy()


def _spread(order: np.ndarray, values: list[Any], rows: int, dtype: type[pl.DataType]) -> pl.Series:
    """Return the values of some rows as a column of all rows, null elsewhere."""
    spread: list[Any] = [None] * rows
    for row, value in zip(order.tolist(), values, strict=True):
        spread[row] = value
    return pl.Series(spread, dtype=dtype)
