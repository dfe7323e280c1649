"""What a rule is: a frozen set of parameters with one method on a column of texts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

from pydantic import AfterValidator

from cleaning.protect import KINDS
from utils.runs.config import StrictModel

if TYPE_CHECKING:
    import polars as pl


def _linear_pattern(value: str) -> str:
    """Refuse an expression that the linear-time engine does not take (S12: no backtracking on users' patterns)."""
    import polars as pl

    try:
        pl.Series([""]).str.contains(value)
    except pl.exceptions.ComputeError as error:
        raise ValueError(f"not a pattern of a linear-time engine: {str(error).splitlines()[-1]}") from None
    return value


LinearPattern = Annotated[str, AfterValidator(_linear_pattern)]


class Segments(NamedTuple):
    """Free segments of texts; `opens`/`closes` tell whether a segment begins or ends its text."""

    texts: list[str]
    opens: list[bool]
    closes: list[bool]


class Edited(NamedTuple):
    """The segments after a rule, and how many changes it made in each."""

    texts: list[str]
    counts: list[int]


class Measured(NamedTuple):
    """A number per row, and which rows it drops: the number stays when the threshold moves."""

    values: pl.Series
    drop: pl.Series


class EditRule(StrictModel):
    """A rule that changes texts and drops nothing."""

    protected: ClassVar[frozenset[str]] = KINDS
    """Kinds of spans that it must not touch."""
    trigger: ClassVar[str]
    """Searched in the whole column first (Rust syntax): a text without it cannot change."""

    unless_row_has: LinearPattern | None = None
    """Rows with this pattern in any of their texts are left alone: markup is their subject, not their dirt."""

    def apply(self, segments: Segments) -> Edited:
        """Edit the free segments of the texts that have the trigger."""
        raise NotImplementedError


class MeasureRule(StrictModel):
    """A rule that measures rows and drops those beyond its threshold."""

    def measure(self, texts: pl.DataFrame, rows: int) -> Measured:
        """Measure rows.

        Args:
            texts: columns `row` (ascending, from 0), `role`, `text`.
            rows: number of rows; one without any text is in no line of `texts`.

        """
        raise NotImplementedError


Replacement = str | Callable[[re.Match[str]], str]


def substitute(texts: list[str], *steps: tuple[re.Pattern[str], Replacement]) -> Edited:
    """Apply substitutions one after the other; a replacement equal to its match counts as no change."""
    counts = [0] * len(texts)
    edited = list(texts)
    for found, replacement in steps:
        for at, text in enumerate(edited):
            changed, count = found.subn(replacement, text)
            if changed != text:
                edited[at] = changed
                counts[at] += count
    return Edited(edited, counts)


def parameters(rule: StrictModel) -> dict[str, Any]:
    """Return a rule as JSON-able values, defaults left out."""
    return {"rule": getattr(rule, "rule"), **rule.model_dump(mode="json", exclude_defaults=True)}  # noqa: B009
