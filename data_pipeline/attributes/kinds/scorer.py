"""A distilled scorer's opinion of every row (`posttrain attributes fit`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import polars as pl
import pyarrow as pa

from data_pipeline.attributes.base import AttributeKeys, as_table
from utils.errors import UserError


class Scored(AttributeKeys):
    """`score`; for a scorer of classes `label` and its `probability`."""

    version: ClassVar[int] = 1
    scope: ClassVar[Literal["rows", "all"]] = "rows"
    needs: ClassVar[tuple[str, ...]] = ()

    kind: Literal["scorer"] = "scorer"
    scorer: Path
    """The directory that `posttrain attributes fit` wrote."""

    @property
    def key(self) -> str:
        """The attribute's name."""
        return self.name or self.kind

    @property
    def reads(self) -> list[Path]:
        """The scorer."""
        if not self.scorer.is_dir():
            raise UserError("no scorer here", where=str(self.scorer), mend="posttrain attributes fit makes one")
        return [self.scorer]

    def measure(self, rows: pl.DataFrame, given: Mapping[str, pa.Table], seed: int) -> pa.Table:
        """Return `id` and the score, one row per row."""
        from data_pipeline.attributes.scoring_models import held
        from data_pipeline.scorers.scorer import load

        return as_table(held(load, self.scorer).score(rows))
