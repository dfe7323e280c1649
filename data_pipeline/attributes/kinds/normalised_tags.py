"""Open tags of all rows, folded, without rare ones, and with those merged that mean one thing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field

from data_pipeline.attributes.base import AttributeKeys
from data_pipeline.attributes.kinds.embedding import embed
from data_pipeline.attributes.tags.normalise import normalise
from utils.errors import UserError


class NormalisedTags(AttributeKeys):
    """`tags`: what a row's open tags became; `tag`: the commonest of them, null where none is left.

    Tags are merged by the offline embedding of their letters, so `data analyses` becomes `data analysis`, and
    `synonyms` of other letters stay.
    """

    version: ClassVar[int] = 1
    scope: ClassVar[Literal["rows", "all"]] = "all"
    summarised: ClassVar[tuple[str, ...]] = ("tags",)

    kind: Literal["normalised_tags"] = "normalised_tags"
    tags: str = "open_tags"
    """Name of an attribute with a column `tags`."""
    least_rows: int = Field(default=20, ge=1)
    """A tag of fewer rows goes."""
    least_cosine: float = Field(default=0.8, gt=0, le=1)
    """Tags whose letters are this near become the commonest of them."""
    together_rows: int = Field(default=40, ge=1)
    """Two tags that stand together in so many rows,"""
    together_share: float = Field(default=0.99, gt=0, le=1)
    """and in this share of the rows of either, become one."""

    @property
    def key(self) -> str:
        """The attribute's name."""
        return self.name or self.kind

    @property
    def needs(self) -> tuple[str, ...]:
        """The open tags."""
        return (self.tags,)

    def measure(self, rows: pl.DataFrame, given: Mapping[str, pa.Table], seed: int) -> pa.Table:
        """Return `id, tag, tags`, one row per row."""
        table = given[self.tags]
        if "tags" not in table.column_names:
            raise UserError(f"{self.tags} has no column tags", where=self.key)

        def letters(tags: list[str]) -> np.ndarray:
            return embed([f" {tag} " for tag in tags], dimensions=512, ngrams=(1, 2, 3), seed=seed)

        found = normalise(
            [row or [] for row in table["tags"].to_pylist()],
            letters,
            least_rows=self.least_rows,
            least_cosine=self.least_cosine,
            together_rows=self.together_rows,
            together_share=self.together_share,
        ).tags
        rows_of = pl.Series(found, dtype=pl.List(pl.String)).explode().drop_nulls().value_counts()
        common = dict(rows_of.rows())
        first = [min(row, key=lambda tag: (-common[tag], tag), default=None) for row in found]
        return pa.table(
            {
                "id": pa.array(rows["id"].to_list(), pa.string()),
                "tag": pa.array(first, pa.string()),
                "tags": pa.array(found, pa.list_(pa.string())),
            }
        )

    def summary(self, table: pl.DataFrame) -> dict[str, Any]:
        """Return how many tags are left, and on how many rows."""
        lists = table["tags"]
        return {"tags": lists.explode().drop_nulls().n_unique(), "tagged": int((lists.list.len() > 0).sum())}
