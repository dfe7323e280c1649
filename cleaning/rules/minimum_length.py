"""Rows whose answer, or whose text, is too short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from cleaning.rules.base import Measured, MeasureRule

if TYPE_CHECKING:
    from cleaning.texts import Texts


class MinimumLength(MeasureRule):
    """Drops a row whose shortest answer has fewer characters than `characters`; blanks do not count."""

    rule: Literal["minimum_length"] = "minimum_length"
    characters: int = Field(default=1, ge=1)
    """The least number of characters that are not blank, of every answer or of the document."""

    def measure(self, texts: Texts) -> Measured:
        """Return the length of each row's shortest answer or document; 0 when it has none."""
        import numpy as np

        length = texts.count("characters") - texts.count("blanks")
        values = texts.per_row(np.where(texts.spoken(), length, np.nan), "min")
        return Measured(values, values < self.characters)
