"""What a row says of itself beside its text: likes, sources, kinds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from cleaning.rules.base import LinearPattern, Measured, MeasureRule

if TYPE_CHECKING:
    import numpy as np

    from cleaning.texts import Texts

_NUMBER = re.compile(r"[ ]*+([-+]?[0-9][0-9,]*+(?:\.[0-9]++)?)[ ]*+([万亿wWkK]?)\+?[ ]*+")
_UNITS = {"": 1, "万": 10_000, "w": 10_000, "W": 10_000, "k": 1_000, "K": 1_000, "亿": 100_000_000}


class RowField(MeasureRule):
    """Drops a row by its metadata: by the sum of numbers (`at_most`, `at_least`) or by a text (`equals`, `pattern`).

    A row that has none of the fields stays: what is unknown is no reason. The original dropped notes whose likes,
    collects, shares and comments were 10 or fewer together, and the encyclopaedia rows of one source.
    """

    rule: Literal["field"] = "field"
    fields: tuple[str, ...] = Field(min_length=1)
    """Keys of the row; a dot goes into an object (`stats.likes`)."""
    at_most: float | None = None
    """Rows whose numbers sum to this or less are dropped. `1.2万` and `3,000` are numbers too."""
    at_least: float | None = None
    """Rows whose numbers sum to this or more are dropped."""
    equals: tuple[str, ...] = ()
    """Rows with one of these texts in one of the fields are dropped."""
    pattern: LinearPattern | None = None
    """Rows with this pattern in one of the fields are dropped."""

    @model_validator(mode="after")
    def _says_something(self) -> RowField:
        numeric = self.at_most is not None or self.at_least is not None
        if numeric == bool(self.equals or self.pattern is not None):
            raise ValueError("either at_most or at_least, or equals or pattern")
        return self

    def measure(self, texts: Texts) -> Measured:
        """Return the sum of each row's numbers, or 1 where a text matches and 0 where not; NaN without the fields."""
        import numpy as np

        found = [self._found(row) for row in texts.fields]
        if self.equals or self.pattern is not None:
            values = self._matches(found)
            return Measured(values, values == 1)
        values = np.array([_sum(own) for own in found], float)
        low = values <= self.at_most if self.at_most is not None else False
        high = values >= self.at_least if self.at_least is not None else False
        return Measured(values, np.asarray(low | high, bool))

    def _found(self, row: Mapping[str, Any] | None) -> list[Any]:
        """Return the values of the fields that a row has."""
        values = (at(row, name) for name in self.fields) if row is not None else ()
        return [value for value in values if value is not None]

    def _matches(self, found: list[list[Any]]) -> np.ndarray:
        import numpy as np
        import polars as pl

        row = np.repeat(np.arange(len(found)), [len(values) for values in found])
        given = pl.Series([str(value).strip() for values in found for value in values], dtype=pl.String)
        hit = given.is_in(self.equals) if self.equals else pl.repeat(False, len(given), eager=True)
        if self.pattern is not None:
            hit = hit | given.str.contains(self.pattern)
        matches = np.full(len(found), np.nan)
        matches[row] = 0
        matches[row[hit.to_numpy()]] = 1
        return matches


def at(row: Mapping[str, Any], name: str) -> Any:
    """Return the value of a row's field, `a.b` for one within an object; None when there is none."""
    if name in row:
        return row[name]
    head, dot, rest = name.partition(".")
    inner = row.get(head) if dot else None
    return at(inner, rest) if isinstance(inner, Mapping) else None


def text_of(row: Mapping[str, Any] | None, name: str) -> str:
    """Return a field's text on one line; empty when there is none."""
    value = at(row, name) if row is not None else None
    return " ".join(value.split()) if isinstance(value, str) else ""


def _sum(values: list[Any]) -> float:
    """Return the sum of what can be read as a number; NaN when nothing can."""
    numbers = [number for number in map(_number, values) if number is not None]
    return sum(numbers) if numbers else float("nan")


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    read = _NUMBER.fullmatch(value) if isinstance(value, str) else None
    return float(read[1].replace(",", "")) * _UNITS[read[2]] if read else None
