"""Rows that their title gives away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from cleaning.rules.base import LinearPattern, Measured, MeasureRule
from cleaning.rules.field import text_of
from cleaning.rules.table_page import TablePage

if TYPE_CHECKING:
    from cleaning.texts import Texts


class Title(MeasureRule):
    """Drops a row whose title has a pattern, if asked only when its text is a weak table as well.

    The original dropped daily figures: `疫情最新情况` in the title over a page of short cells.
    """

    rule: Literal["title"] = "title"
    pattern: LinearPattern
    """What the title has."""
    field: str = "title"
    """The key of the title."""
    table: bool = False
    """Whether the text must be a weak table too (see `table_page`)."""

    def measure(self, texts: Texts) -> Measured:
        """Return 1 for each row with such a title (and table), else 0."""
        import numpy as np
        import polars as pl

        titles = pl.Series([text_of(row, self.field) for row in texts.fields], dtype=pl.String)
        found = titles.str.contains(self.pattern).to_numpy()
        if self.table and found.any():
            _, tables = TablePage(weak=True).judged(texts, texts.spoken() & found[texts.row])
            found = found & (texts.per_row(tables.astype(float), "max") > 0)
        return Measured(found.astype(np.float64), found)
