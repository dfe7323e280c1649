"""Rows whose answer, or whose text, is too short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from cleaning.rules.base import Measured, MeasureRule

if TYPE_CHECKING:
    import polars as pl


class MinimumLength(MeasureRule):
    """Drops a row whose shortest answer has fewer characters than `characters`; blanks do not count."""

    rule: Literal["minimum_length"] = "minimum_length"
    characters: int = Field(default=1, ge=1)
    """The least number of characters that are not blank, of every answer or of the document."""

    def measure(self, texts: pl.DataFrame, rows: int) -> Measured:
        """Return the length of each row's shortest answer or document; 0 when it has none."""
        import polars as pl

        length = pl.col("text").str.len_chars() - pl.col("text").str.count_matches(r"\s")
        answers = texts.lazy().filter(pl.col("role").is_in(["assistant", "document"]))
        shortest = answers.group_by("row").agg(length.min().alias("value"))
        every = pl.LazyFrame({"row": pl.int_range(rows, dtype=pl.UInt32, eager=True)})
        joined = every.join(shortest, on="row", how="left", maintain_order="left").select(pl.col("value").fill_null(0))
        values = joined.collect()["value"].cast(pl.Float64)
        return Measured(values, values < self.characters)
