"""A batch of rows as columns, and a policy applied to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from cleaning.protect import cut
from cleaning.rules import Rule
from cleaning.rules.base import EditRule, MeasureRule, Segments
from utils.data.formats import Format, RowError
from utils.data.reading import RawRow
from utils.data.records import raw_id
from utils.data.rows import row_id

TEXTS = {"row": pl.UInt32, "place": pl.UInt32, "role": pl.String, "text": pl.String}
EDITS = {
    "row": pl.UInt32,
    "place": pl.UInt32,
    "rule": pl.String,
    "count": pl.Int32,
    "before": pl.String,
    "after": pl.String,
}
VALUES = {"row": pl.UInt32, "rule": pl.String, "value": pl.Float64, "drop": pl.Boolean}


@dataclass(slots=True)
class Batch:
    """Rows, and the columns that cleaning works on.

    Args:
        rows: as read.
        ids: one per row; an unreadable row has the hash of its bytes.
        errors: why a row cannot be read, or None.
        texts: one line per text, `row` and `place` counting rows and a row's texts; `text` is what rules leave.
        edits: one line per text and rule that changed it, before and after.
        values: one line per row and measuring rule.

    """

    rows: Sequence[RawRow]
    ids: list[str]
    errors: list[str | None]
    texts: pl.DataFrame
    edits: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=EDITS))
    values: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=VALUES))


def read_batch(rows: Sequence[RawRow], fmt: Format | None) -> Batch:
    """Return the texts of rows as columns; a row that does not fit the format keeps the reason instead."""
    ids, errors = [], []
    columns: tuple[list[int], list[int], list[str], list[str]] = ([], [], [], [])
    for number, raw in enumerate(rows):
        given, error, texts = _read(raw, fmt)
        ids.append(given)
        errors.append(error)
        for place, (role, text) in enumerate(texts):
            for column, value in zip(columns, (number, place, role, text), strict=True):
                column.append(value)  # type: ignore[attr-defined]
    return Batch(rows, ids, errors, pl.DataFrame(dict(zip(TEXTS, columns, strict=True)), schema=TEXTS))


def _read(raw: RawRow, fmt: Format | None) -> tuple[str, str | None, list[tuple[str, str]]]:
    """Return a row's id, why it cannot be read (or None), and its texts with their roles."""
    if raw.row is None or fmt is None:
        return raw_id(raw.raw), raw.error or "no row of the file is of a known format", []
    try:
        return row_id(raw.row, fmt), None, [(role, text) for _, role, text in fmt.texts(raw.row)]
    except RowError as error:
        return raw_id(raw.raw), f"not of format {fmt.name}: {error}", []


def apply_policy(batch: Batch, rules: Sequence[Rule]) -> Batch:
    """Apply the rules in order: editing rules change `texts`, measuring rules add `values`."""
    edits, values = [batch.edits], [batch.values]
    texts = batch.texts
    for rule in rules:
        if isinstance(rule, EditRule):
            texts, changed = _edit(rule, rule.rule, texts)
            edits.append(changed)
        elif isinstance(rule, MeasureRule):
            values.append(_measure(rule, rule.rule, texts, len(batch.rows)))
    return Batch(batch.rows, batch.ids, batch.errors, texts, pl.concat(edits), pl.concat(values))


def _edit(rule: EditRule, name: str, texts: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Edit the texts that have the rule's trigger; all others take the fast path of one search."""
    hit = texts["text"].str.contains(rule.trigger)
    if rule.unless_row_has and hit.any():
        asked = texts.filter(texts["row"].is_in(texts.filter(hit)["row"].implode()))
        subject = asked.filter(asked["text"].str.contains(rule.unless_row_has))["row"]
        hit &= ~texts["row"].is_in(subject.implode())
    found = texts.filter(hit)
    if found.is_empty():
        return texts, pl.DataFrame(schema=EDITS)
    after, counts = _edit_free(rule, found["text"].to_list())
    changed = found.select(
        "row",
        "place",
        pl.lit(name).alias("rule"),
        pl.Series("count", counts, dtype=pl.Int32),
        pl.col("text").alias("before"),
        pl.Series("after", after, dtype=pl.String),
    ).filter(pl.col("before") != pl.col("after"))
    text = texts["text"].scatter(hit.arg_true(), pl.Series(after, dtype=pl.String))
    return texts.with_columns(text=text), changed.with_columns(pl.col("count").clip(1))


def _edit_free(rule: EditRule, texts: list[str]) -> tuple[list[str], list[int]]:
    """Edit what is not protected in some texts; return them and the number of changes in each.

    An edit that would change what is protected (two backticks meet where a character was dropped) is not made.
    """
    pieces = cut(texts, rule.protected)
    edited = rule.apply(Segments(pieces.free, pieces.opens, pieces.closes))
    after = pieces.join(edited.texts)
    same = [one == other for one, other in zip(pieces.kept, cut(after, rule.protected).kept, strict=True)]
    return [new if keep else old for new, keep, old in zip(after, same, texts, strict=True)], pieces.sums(edited.counts)


def _measure(rule: MeasureRule, name: str, texts: pl.DataFrame, rows: int) -> pl.DataFrame:
    measured = rule.measure(texts, rows)
    columns: dict[str, Any] = {"row": pl.int_range(rows, dtype=pl.UInt32, eager=True), "rule": [name] * rows}
    return pl.DataFrame({**columns, "value": measured.values, "drop": measured.drop}, schema=VALUES)
