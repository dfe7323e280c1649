"""What a rule is: a frozen set of parameters with one method on a column of texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

from pydantic import AfterValidator

from cleaning.protect import CODE, MATHS, TABLE, URL
from utils.runs.config import StrictModel

if TYPE_CHECKING:
    import numpy as np

    from cleaning.texts import Texts
    from cleaning.trigger import Trigger


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
    """Free segments of texts: all that a rule may change.

    `opens`/`closes` tell whether a segment begins or ends its text, `row` its row, `role` who speaks, and
    `fields[row]` is that row as it was read.
    """

    texts: list[str]
    opens: list[bool]
    closes: list[bool]
    row: Sequence[int] = ()
    fields: Sequence[dict[str, Any] | None] = ()
    role: Sequence[str] = ()


class Edited(NamedTuple):
    """The segments after a rule, how many changes it made in each, and, where a rule tells kinds apart, of which."""

    texts: list[str]
    counts: list[int]
    kinds: Mapping[str, int] = {}


class Hit(NamedTuple):
    """Why a row was measured so: characters [start, end) of text number `text`, and what was found there."""

    text: int
    start: int
    end: int
    what: str


class Measured(NamedTuple):
    """A number per row (float64), and which rows it drops (bool): the number stays when the threshold moves."""

    values: np.ndarray
    drop: np.ndarray
    hits: Sequence[Hit] = ()


class _Named(StrictModel):
    name: str | None = None
    """The reason in ledgers and reports; by default the rule's own name. For a policy that uses a rule twice."""

    @property
    def reason(self) -> str:
        """Return the name under which it is counted."""
        return self.name or str(getattr(self, "rule"))  # noqa: B009


class EditRule(_Named):
    """A rule that changes texts and drops nothing."""

    protected: ClassVar[frozenset[str]] = frozenset({CODE, MATHS, TABLE, URL})
    """Kinds of spans that it must not touch."""
    only_blanks: ClassVar[bool] = False
    """It takes white space away at line ends and edges, and nothing else: no need to scan again for what follows."""

    unless_row_has: LinearPattern | None = None
    """Rows with this pattern in any of their texts are left alone: markup is their subject, not their dirt."""
    protect: bool = True
    """False: code, formulas and tables are plain text too. For web text without any."""

    @property
    def trigger(self) -> Trigger:
        """Return what a text must have: one without it cannot change."""
        raise NotImplementedError

    def suspects(self, texts: list[str]) -> np.ndarray | None:
        """Tell, where a rule can do so cheaply, which texts with the trigger may change (bool, one per text)."""

    def apply(self, segments: Segments) -> Edited:
        """Edit the free segments of the texts that have the trigger."""
        raise NotImplementedError


class MeasureRule(_Named):
    """A rule that measures rows and drops those beyond its threshold."""

    @property
    def trigger(self) -> Trigger | None:
        """Return what a text must have to be worth a look (`texts.sought` tells which have it); None: nothing."""
        return None

    def measure(self, texts: Texts) -> Measured:
        """Measure rows: arrays of `texts.rows` numbers."""
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
