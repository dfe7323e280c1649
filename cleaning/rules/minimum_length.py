"""Rows whose answer, or whose text, is too short."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from cleaning.rules.base import Measured, MeasureRule

if TYPE_CHECKING:
    import numpy as np

    from cleaning.texts import Texts


class MinimumLength(MeasureRule):
    """Drops a row whose shortest answer has fewer characters than `characters`, or fewer tokens than `tokens`."""

    rule: Literal["minimum_length"] = "minimum_length"
    characters: int | None = Field(default=None, ge=1)
    """The least number of characters that are not blank, of every answer or of the document; 1 when nothing is set."""
    tokens: int | None = Field(default=None, ge=1)
    """The least number of tokens instead: by the estimate of `cleaning.tokens`, or by `tokenizer`."""
    tokenizer: Path | None = None
    """A tokenizer's file or folder, for `tokens`."""
    answers: Literal["each", "together"] = "each"
    """Whether every answer of a row must be so long, or all of them together: for conversations some of whose turns
    were emptied."""

    @model_validator(mode="after")
    def _one_measure(self) -> MinimumLength:
        if self.tokens is not None and self.characters is not None:
            raise ValueError("either characters or tokens")
        if self.tokenizer is not None and self.tokens is None:
            raise ValueError("a tokenizer needs tokens")
        return self

    def measure(self, texts: Texts) -> Measured:
        """Return the length of each row's shortest answer or document, or of all together; 0 when it has none."""
        import numpy as np

        length = np.where(texts.spoken(), self._lengths(texts), np.nan)
        values = texts.per_row(length, "min" if self.answers == "each" else "sum")
        return Measured(values, values < (self.tokens or self.characters or 1))

    def _lengths(self, texts: Texts) -> np.ndarray:
        """Return the length of every text (n,)."""
        if self.tokens is None:
            return texts.count("characters") - texts.count("blanks")
        from cleaning.tokens import token_counts

        return token_counts(texts.text, texts.scan.counts, self.tokenizer)
