"""A batch of rows, cleaned by a policy, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from cleaning.apply import Outcome, program
from cleaning.read_batch import ReadTexts, read_texts
from cleaning.rules import Rule
from cleaning.texts import Texts
from utils.data.reading import RawRow, RawRows

__all__ = ["Batch", "apply_policy", "read_texts"]

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
    """Rows, and what cleaning made of them.

    Args:
        rows: as read.
        ids: one per row; an unreadable row has the hash of its bytes.
        errors: why a row cannot be read, or None.
        texts: one line per text, `row` and `place` counting rows and a row's texts; `text` is what rules left.
        edits: one line per text and rule that changed it, before and after.
        values: one line per row and measuring rule.
        hits: why rows were measured so: place in the cleaned text and what was found.
        kinds: changes by (rule, kind), of rules that tell kinds apart.
        counts_in: int32 (texts, len(scan.COUNTS)), of the texts as they were read.
        counts: the same, of the texts as rules left them.

    """

    rows: Sequence[RawRow]
    ids: list[str]
    errors: list[str | None]
    texts: pl.DataFrame
    edits: pl.DataFrame
    values: pl.DataFrame
    hits: pl.DataFrame
    kinds: dict[tuple[str, str], int]
    counts_in: np.ndarray
    counts: np.ndarray


def apply_policy(read: ReadTexts, rules: Sequence[Rule]) -> Batch:
    """Apply the rules in order: editing rules change texts, measuring rules add `values` and `hits`."""
    policy, size = program(tuple(rules)), len(read.rows)
    scan = policy.scanner.scan(read.text)
    counts_in = scan.counts.copy()
    texts = Texts(_fields(read), read.row, read.place, read.role, list(read.text), scan)
    outcome = policy.run(texts)
    columns = {"row": texts.row, "place": texts.place, "role": list(texts.role), "text": texts.text}
    return Batch(
        read.rows,
        read.ids,
        read.errors,
        pl.DataFrame(columns, schema=TEXTS),
        _edits(outcome, texts),
        _values(outcome, size),
        _hits(outcome, texts),
        dict(outcome.kinds),
        counts_in,
        texts.scan.counts,
    )


def _fields(read: ReadTexts) -> Sequence[dict[str, object] | None]:
    rows = read.rows
    return rows.rows if isinstance(rows, RawRows) else [raw.row for raw in rows]


def _edits(outcome: Outcome, texts: Texts) -> pl.DataFrame:
    edits = outcome.edits
    numbers = np.array(edits.text, np.int64)
    places = {"row": texts.row[numbers], "place": np.asarray(texts.place)[numbers]}
    own = {"rule": edits.rule, "count": edits.changes, "before": edits.before, "after": edits.after}
    return pl.DataFrame(places | own, schema=EDITS)


def _values(outcome: Outcome, rows: int) -> pl.DataFrame:
    """Return a line per measuring rule and row, the rules in the policy's order."""
    every = np.arange(rows, dtype=np.uint32)
    frames = [
        pl.DataFrame({"row": every, "value": values, "drop": drop}).select(
            "row", pl.lit(rule).alias("rule"), pl.col("value").cast(pl.Float64), "drop"
        )
        for rule, values, drop in outcome.values
    ]
    return pl.concat([pl.DataFrame(schema=VALUES), *frames])


def _hits(outcome: Outcome, texts: Texts) -> pl.DataFrame:
    lines = [
        (int(texts.row[hit.text]), int(texts.place[hit.text]), rule, hit.start, hit.end, hit.what)
        for rule, hit in outcome.hits
    ]
    return pl.DataFrame(lines, schema=HITS, orient="row")
