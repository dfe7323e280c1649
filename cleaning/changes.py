"""What rules did to the rows of a batch: where, how often, and a few examples to look at."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Any

import polars as pl
import pyarrow as pa

from cleaning.batch import Batch
from cleaning.differences import differences

SPANS_PER_RULE = 3
EXAMPLES_PER_RULE = 2
EXAMPLE_CHARACTERS = 90

EDITS_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source_file", pa.string()),
        ("source_row", pa.int64()),
        ("place", pa.int32()),
        ("rule", pa.string()),
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("what", pa.string()),
    ]
)
"""A change: [start, end) of the text as the rule found it. A hit of a measuring rule: of the cleaned text, and `what`
was found there."""


def spans(batch: Batch, relative: str, first_row: int) -> pa.Table:
    """Return where rules changed texts and what measuring rules hit: at most three spans per rule and row.

    Args:
        batch: rows that follow each other.
        relative: their file.
        first_row: `source_row` of the first.

    """
    edits, hits = batch.edits, batch.hits
    before, after = (edits[name].to_arrow(compat_level=pl.CompatLevel.oldest()) for name in ("before", "after"))
    places = differences(before, after)
    changed = edits.select("row", "place", "rule", what=pl.lit(None, pl.String)).with_columns(
        start=pl.Series(places[:, 0]), end=pl.Series(places[:, 1])
    )
    names = ["row", "place", "rule", "start", "end", "what"]
    found = pl.concat([changed.select(names), hits.select(names)])
    found = found.filter(pl.int_range(pl.len()).over("row", "rule") < SPANS_PER_RULE)
    columns = {
        "id": pl.Series(batch.ids, dtype=pl.String).gather(found["row"]),
        "source_file": pl.repeat(relative, found.height, dtype=pl.String, eager=True),
        "source_row": found["row"].cast(pl.Int64) + first_row,
        **{name: found[name] for name in names[1:]},
    }
    return pl.DataFrame(columns).to_arrow(compat_level=pl.CompatLevel.oldest()).cast(EDITS_SCHEMA)


def difference(before: str, after: str) -> tuple[int, int, int]:
    """Return [start, end) of `before` and [start, end2) of `after`: all that differs lies in them."""
    start, end, end_after = differences(*(pa.array([text], pa.large_string()) for text in (before, after)))[0].tolist()
    return start, end, end_after


def count(report: dict[str, Any], batch: Batch) -> None:
    """Add a batch to a report: `rows`, `edits` by rule, `kinds` by rule, the first `examples` of each rule.

    A row with personal data is no other rule's example: the text that those saw still had it.
    """
    report["rows"] += len(batch.rows)
    sums = batch.edits.group_by("rule").agg(pl.col("row").n_unique(), pl.col("count").sum())
    for rule, rows, changes in sums.iter_rows():
        known = report["edits"].setdefault(rule, {"rows": 0, "changes": 0})
        report["edits"][rule] = {"rows": known["rows"] + rows, "changes": known["changes"] + changes}
    for (rule, kind), number in batch.kinds.items():
        kinds = report["kinds"].setdefault(rule, {})
        kinds[kind] = kinds.get(kind, 0) + number
    personal = pl.col("rule").is_in({rule for rule, _ in batch.kinds})
    shown = batch.edits.filter(personal | ~personal.any().over("row")).with_columns(personal=personal)
    for row, _, rule, _, before, after, hidden in shown.unique("rule", keep="first", maintain_order=True).iter_rows():
        examples = report["examples"].setdefault(rule, [])
        if len(examples) < EXAMPLES_PER_RULE:
            excerpt = _excerpt(before, after)
            examples.append({"id": batch.ids[row], **excerpt, **({"before": "…"} if hidden else {})})


def _excerpt(before: str, after: str) -> dict[str, str]:
    """Return what surrounds the first change."""
    start, _, _ = difference(before, after)
    left = max(0, start - EXAMPLE_CHARACTERS // 3)
    old, new = (text[left : start + 2 * EXAMPLE_CHARACTERS] for text in (before, after))
    if max(len(before), len(after)) > start + 2 * EXAMPLE_CHARACTERS:
        old, new = _ending_alike(old, new)
    return {"before": old, "after": new}


def _ending_alike(old: str, new: str) -> tuple[str, str]:
    """Cut two excerpts behind the last piece that both have, so that no mere cut looks like a change."""
    alike = [
        block for block in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks() if block.size >= 4
    ]
    last = alike[-1] if len(alike) > 1 else None
    return (old[: last.a + last.size], new[: last.b + last.size]) if last else (old, new)
