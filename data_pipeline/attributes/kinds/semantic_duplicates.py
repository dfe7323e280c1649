"""Semantic duplicates (SemDeDup, arXiv 2303.09540, with neighbours checked), and what near rows are to each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field

from data_pipeline.attributes.base import AttributeKeys, as_table, text_of
from data_pipeline.attributes.kinds.embedding import vectors_of
from data_pipeline.attributes.semantic.relations import (
    COPY,
    NAMES,
    OTHER_ANSWER,
    TEMPLATE,
    Relations,
    Traits,
    traits_of,
)
from data_pipeline.attributes.semantic.search import Near, near_clusters, search
from utils.errors import UserError


class SemanticDuplicates(AttributeKeys):
    """How a row stands to the rows that come before it. Measured, not removed: that is the tier's business.

    | column | meaning |
    |---|---|
    | `neighbour` | id of the row it is near to; null for a row that is near to none |
    | `cosine` | of the two in the embedding |
    | `relation` | `copy`, `paraphrase`, `translation`, `template` or `other_answer`; see semantic/relations.py |
    | `duplicate_of` | `neighbour` where the relation is one of `duplicates`, else null; it is itself no duplicate |

    Copies, the same prompt and the same prompt with other numbers are found by the texts alone, however far the
    embedding puts the rows. An embedding of wording (the offline default) finds light rewording beside; free
    paraphrases and translations are found by an embedding of meaning only.
    """

    version: ClassVar[int] = 1
    scope: ClassVar[Literal["rows", "all"]] = "all"
    summarised: ClassVar[tuple[str, ...]] = ("relation", "duplicate_of")

    kind: Literal["semantic_duplicates"] = "semantic_duplicates"
    embedding: str = "embedding"
    """Name of the embedding."""
    cluster: str = "cluster"
    """Name of the clusters of that embedding."""
    epsilon: float = Field(default=0.05, gt=0, lt=1)
    """Two rows are near when their cosine is 1 - epsilon or more."""
    neighbours: int = Field(default=3, ge=0)
    """Further clusters in which a row is compared: those with the nearest centres. 0 is the paper's method."""
    keep: str = "first"
    """Which of two near rows stays: `first`, `longest`, or the higher number in a column `attribute.column`."""
    duplicates: tuple[Literal["paraphrase", "translation", "template", "other_answer"], ...] = ("paraphrase",)
    """Relations that make a row a duplicate, beside `copy`, which always does."""

    @property
    def key(self) -> str:
        """The attribute's name."""
        return self.name or self.kind

    @property
    def needs(self) -> tuple[str, ...]:
        """The embedding, its clusters, and the attribute that decides what stays."""
        named = [self.keep.partition(".")[0]] if "." in self.keep else []
        return (self.embedding, self.cluster, *named)

    def measure(self, rows: pl.DataFrame, given: Mapping[str, pa.Table], seed: int) -> pa.Table:
        """Return `id, neighbour, cosine, relation, duplicate_of`, one row per row."""
        vectors, valid = vectors_of(given[self.embedding])
        labels = given[self.cluster]["cluster"].drop_null().to_numpy()
        if len(labels) != len(vectors):
            raise UserError(f"{self.cluster} holds no clusters of {self.embedding}", where=self.key)
        order = precedence(rows, self.keep, given)[valid]
        embedded = rows.filter(pl.Series(valid))
        first = np.argsort(-order, kind="stable")
        ordered = embedded[first]
        removing = frozenset(NAMES.index(name) for name in self.duplicates) | {COPY}
        near = compare(ordered, vectors[first], labels[first].astype(np.int64), self, removing)
        return as_table(rows.select("id").join(_columns(ordered, near), on="id", how="left", maintain_order="left"))

    def summary(self, table: pl.DataFrame) -> dict[str, Any]:
        """Return how many rows stand in which relation, and how many are duplicates."""
        counts = table["relation"].drop_nulls().value_counts().rows()
        return {"relations": dict(sorted(counts)), "duplicates": int(table["duplicate_of"].count())}


def precedence(rows: pl.DataFrame, keep: str, given: Mapping[str, pa.Table]) -> np.ndarray:
    """Return a number per row, float64 [n]; of two near rows the one with more stays, of equals the earlier one.

    Raises:
        UserError: `keep` names no column of numbers.

    """
    if keep == "first":
        return np.zeros(rows.height)
    if keep == "longest":
        return rows.select(text_of().str.len_chars().cast(pl.Float64))["messages"].to_numpy()
    name, _, column = keep.partition(".")
    if name not in given or column not in given[name].column_names:
        there = ", ".join(given[name].column_names) if name in given else "first, longest, attribute.column"
        raise UserError(f"keep: no {keep!r}", where="semantic_duplicates", mend=f"there are {there}")
    number = pl.Series(given[name][column].to_pylist(), strict=False)
    if not number.dtype.is_numeric():
        raise UserError(f"keep: {keep} holds no numbers", where="semantic_duplicates")
    return number.cast(pl.Float64).fill_null(-np.inf).to_numpy()


def compare(
    rows: pl.DataFrame,
    vectors: np.ndarray,
    labels: np.ndarray,
    settings: SemanticDuplicates,
    removing: frozenset[int],
) -> Near:
    """Return how rows in order of precedence stand to earlier ones.

    Copies are found by their texts and take no part in the search; what befalls the row that they copy befalls them.
    """
    traits = traits_of(rows)
    first = _first_of_equals(traits.text)
    alone = np.flatnonzero(first == np.arange(len(first)))
    relations = Relations(Traits(*(_chosen(trait, alone) for trait in traits)), removing)
    looked = near_clusters(vectors[alone], labels[alone], settings.neighbours)
    near = search(vectors[alone], labels[alone], looked, 1 - settings.epsilon, relations)
    _same_prompts(near, relations, vectors[alone])
    return _with_copies(near, alone, first)


def _chosen(trait: np.ndarray | list[str], rows: np.ndarray) -> Any:
    return trait[rows] if isinstance(trait, np.ndarray) else [trait[row] for row in rows]


def _first_of_equals(hashes: np.ndarray) -> np.ndarray:
    """Return for each row the first row with its hash, int64 [n]."""
    _, first, which = np.unique(hashes, return_index=True, return_inverse=True)
    return first[which]


def _same_prompts(near: Near, relations: Relations, vectors: np.ndarray) -> None:
    """Note what rows are that are near to none, by their prompts alone: answers may lie far apart.

    The first kept row of the same prompt has another answer; one of the same prompt but for its numbers is a template.
    """
    for relation, hashes in ((OTHER_ANSWER, relations.traits.prompt), (TEMPLATE, relations.traits.frame)):
        kept = np.flatnonzero(~near.removed & (hashes != 0))
        first = kept[_first_of_equals(hashes[kept])]
        found = (first < kept) & (near.other[kept] < 0)
        if relation == TEMPLATE:
            found &= relations.templates(kept, first)
        rows, others = kept[found], first[found]
        near.other[rows], near.relation[rows] = others, relation
        near.removed[rows] = relation in relations.removing
        moved = np.arange(len(vectors))
        moved[rows[near.removed[rows]]] = others[near.removed[rows]]
        gone = np.flatnonzero(near.removed)
        changed = np.union1d(rows, gone[moved[near.other[gone]] != near.other[gone]])
        near.other[gone] = moved[near.other[gone]]
        near.cosine[changed] = np.einsum("nd,nd->n", vectors[changed], vectors[near.other[changed]])


def _with_copies(near: Near, alone: np.ndarray, first: np.ndarray) -> Near:
    """Return what was found for all rows: a copy of a row that stays is its copy, one of a duplicate as that one."""
    place = np.zeros(len(first), dtype=np.int64)
    place[alone] = np.arange(len(alone))
    which = place[first]
    copies = (first != np.arange(len(first))) & ~near.removed[which]
    other = np.where(near.other[which] < 0, -1, alone[near.other[which]] if len(alone) else -1)
    return Near(
        np.where(copies, first, other),
        np.where(copies, np.float32(1), near.cosine[which]),
        np.where(copies, np.int8(COPY), near.relation[which]),
        copies | near.removed[which],
    )


def _columns(rows: pl.DataFrame, near: Near) -> pl.DataFrame:
    found = near.other >= 0
    ids = rows["id"]
    neighbour = [
        ids[other] if there else None for other, there in zip(near.other.tolist(), found.tolist(), strict=True)
    ]
    names = [NAMES[at] if there else None for at, there in zip(near.relation.tolist(), found.tolist(), strict=True)]
    frame = pl.DataFrame(
        {
            "id": ids,
            "neighbour": pl.Series(neighbour, dtype=pl.String),
            "cosine": pl.Series(np.clip(near.cosine, -1, 1), dtype=pl.Float32),
            "relation": pl.Series(names, dtype=pl.String),
            "removed": near.removed,
        }
    )
    return frame.select(
        "id",
        "neighbour",
        pl.when(pl.col("neighbour").is_not_null()).then("cosine").alias("cosine"),
        "relation",
        duplicate_of=pl.when("removed").then("neighbour"),
    )
