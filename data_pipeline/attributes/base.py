"""What every kind of attribute shares: its keys, the table of rows that it gets, and the texts of a row."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, Self

import polars as pl
import pyarrow as pa
from pydantic import PrivateAttr

from utils.runs.config import Name, StrictModel

# Scripts written without blanks between words: there a character counts as a word.
CJK = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}"
UNIT = rf"[{CJK}]|[[\p{{L}}\p{{M}}\p{{N}}]--[{CJK}]]+"


class Attribute(Protocol):
    """A kind of attribute with its parameters.

    `scope` says what `measure` must see to be right: `rows` any part of the rows, one part at a time, with the same
    numbers whatever the part; `all` every row at once.
    """

    version: ClassVar[int]
    scope: ClassVar[Literal["rows", "all"]]
    summarised: ClassVar[tuple[str, ...]]

    @property
    def key(self) -> str:
        """The attribute's name: its folder below `attributes/`."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of attributes that must be measured before."""

    @property
    def reads(self) -> list[Path]:
        """What is read beside the rows: models, rubrics. Their content belongs to the run's key."""

    @property
    def leaves_host(self) -> str | None:
        """Which data goes to which other host; None when it stays here."""

    def placed(self, run: Path) -> Self:
        """Return the attribute at work in a run directory."""

    def summary(self, table: pl.DataFrame) -> dict[str, Any]:
        """Return what the attribute's manifest says of all rows, by the columns in `summarised`."""

    def measure(self, rows: pl.DataFrame, given: Mapping[str, pa.Table], seed: int) -> pa.Table:
        """Return `id` and the attribute's columns, one row per row and in their order.

        Args:
            rows: `id, source, lang, messages`; ids are distinct.
            given: what `needs` names, over the same rows in the same order.
            seed: the run's seed.

        """


class AttributeKeys(StrictModel):
    """Keys that every attribute has."""

    name: Name | None = None
    """The folder below `attributes/`; by default the kind. Two attributes of one kind need two names."""
    summarised: ClassVar[tuple[str, ...]] = ()
    _run: Path | None = PrivateAttr(default=None)  # where paid answers and shared limits lie

    @property
    def reads(self) -> list[Path]:
        """Nothing beside the rows."""
        return []

    @property
    def leaves_host(self) -> str | None:
        """No data leaves this host."""
        return None

    def placed(self, run: Path) -> Self:
        """Return the attribute at work in a run directory: kinds that ask a model keep its answers there."""
        placed = self.model_copy()
        placed._run = run
        return placed

    def summary(self, table: pl.DataFrame) -> dict[str, Any]:
        """Return nothing to say."""
        return {}


def as_table(frame: pl.DataFrame) -> pa.Table:
    """Return a flat frame as an Arrow table with plain strings."""
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    types = [pa.string() if pa.types.is_large_string(field.type) else field.type for field in table.schema]
    return table.cast(pa.schema(list(zip(frame.columns, types, strict=True))))


def text_of(*, answers: bool | None = None) -> pl.Expr:
    """Return the expression for a row's text: its turns joined by newlines, "" when there are none.

    Args:
        answers: True only the assistant's turns, False only the others, None all.

    """
    turn = pl.element()
    content = turn.struct.field("content")
    if answers is not None:
        own = turn.struct.field("role") == "assistant"
        content = content.filter(own if answers else ~own)
    return pl.col("messages").list.eval(content).list.join("\n")
