"""A batch of rows as columns: read, and cleaned by a policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from cleaning.apply import Outcome, program
from cleaning.rules import Rule
from cleaning.scan import COUNTS
from cleaning.texts import Texts
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
HITS = {
    "row": pl.UInt32,
    "place": pl.UInt32,
    "rule": pl.String,
    "start": pl.Int32,
    "end": pl.Int32,
    "what": pl.String,
}


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
        hits: why rows were measured so: place in the cleaned text and what was found.
        kinds: changes by (rule, kind), of rules that tell kinds apart.
        counts: int32 (texts, len(scan.COUNTS)), of the texts as rules leave them.

    """

    rows: Sequence[RawRow]
    ids: list[str]
    errors: list[str | None]
    texts: pl.DataFrame
    edits: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=EDITS))
    values: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=VALUES))
    hits: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=HITS))
    kinds: dict[tuple[str, str], int] = field(default_factory=dict)
    counts: np.ndarray = field(default_factory=lambda: np.zeros((0, len(COUNTS)), np.int32))


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
    """Apply the rules in order: editing rules change `texts`, measuring rules add `values` and `hits`."""
    policy, given = program(tuple(rules)), batch.texts
    column = given["text"].to_list()
    texts = Texts(
        [raw.row for raw in batch.rows],
        given["row"].to_numpy(),
        given["place"].to_list(),
        given["role"].to_list(),
        column,
        policy.scanner.scan(column),
    )
    outcome = policy.run(texts)
    return replace(
        batch,
        texts=given.with_columns(pl.Series("text", texts.text, dtype=pl.String)),
        edits=_edits(outcome, texts),
        values=_values(outcome, len(batch.rows)),
        hits=_hits(outcome, texts),
        kinds=dict(outcome.kinds),
        counts=texts.scan.counts,
    )


def _edits(outcome: Outcome, texts: Texts) -> pl.DataFrame:
    edits = outcome.edits
    return pl.DataFrame(
        {
            "row": [int(texts.row[edit.text]) for edit in edits],
            "place": [texts.place[edit.text] for edit in edits],
            "rule": [edit.rule for edit in edits],
            "count": [edit.changes for edit in edits],
            "before": [edit.before for edit in edits],
            "after": [edit.after for edit in edits],
        },
        schema=EDITS,
    )


def _values(outcome: Outcome, rows: int) -> pl.DataFrame:
    """Return a line per measuring rule and row, the rules in the policy's order."""
    every = np.arange(rows, dtype=np.uint32)
    frames = [
        pl.DataFrame({"row": every, "rule": [rule] * rows, "value": values, "drop": drop}, schema=VALUES)
        for rule, values, drop in outcome.values
    ]
    return pl.concat([pl.DataFrame(schema=VALUES), *frames])


def _hits(outcome: Outcome, texts: Texts) -> pl.DataFrame:
    lines = [
        (int(texts.row[hit.text]), texts.place[hit.text], rule, hit.start, hit.end, hit.what)
        for rule, hit in outcome.hits
    ]
    return pl.DataFrame(lines, schema=HITS, orient="row")
