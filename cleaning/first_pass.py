"""Pass 1 over a partition: read, apply the policy, hash; narrow columns out, no row is written yet.

The part that it leaves has a line per input row, in order. Texts are in it only where a rule changed them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from cleaning.batch import Batch, apply_policy, read_batch
from cleaning.duplicates import traces
from cleaning.duplicates.config import Duplicates
from cleaning.duplicates.reference import ReferenceMatches
from cleaning.duplicates.traces import Traces
from cleaning.give_up import refused_rows
from cleaning.policy import rule_from
from cleaning.tasks import unit_of
from utils.data.formats import Format, format_named
from utils.data.formats.text_field import text_field_format
from utils.data.language import HAN, OTHER
from utils.data.partitions import Partition
from utils.data.reading import RawRow, read_partition

BATCH_ROWS = 8192
SPANS_PER_RULE = 3
EXAMPLES_PER_RULE = 2
EXAMPLE_CHARACTERS = 90

# How many tokens a text has, without a tokenizer: counted on common multilingual ones, Chinese and other scripts
# without blanks take about two tokens for three characters, all else one for four.
TOKEN_ESTIMATE = "0.65 × (Han, kana, Hangul and other non-Latin letters) + 0.25 × other characters"  # noqa: S105

FIRST_PASS_SCHEMA = pa.schema(
    [
        ("source_row", pa.int64()),
        ("byte_offset", pa.int64()),
        ("id", pa.string()),
        ("error", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("values", pa.list_(pa.struct([("rule", pa.string()), ("value", pa.float64())]))),
        ("edits", pa.list_(pa.struct([("rule", pa.string()), ("count", pa.int32())]))),
        ("texts", pa.list_(pa.string())),
        *traces.COLUMNS,
        ("reference_id", pa.string()),
        ("reference_similarity", pa.float32()),
        ("characters", pa.int64()),
        ("tokens", pa.int64()),
    ]
)
EDITS_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source_file", pa.string()),
        ("source_row", pa.int64()),
        ("place", pa.int32()),
        ("rule", pa.string()),
        ("start", pa.int32()),
        ("end", pa.int32()),
    ]
)


def rows_of(task: dict[str, Any]) -> Iterator[RawRow]:
    """Give the rows of a task's partition; refused ones where it was given up."""
    if task.get("given_up"):
        return refused_rows(task)
    partition = Partition(**task["partition"])
    return read_partition(partition, max_row_bytes=task["max_row_bytes"], invalid_utf8=task["invalid_utf8"])


def format_of(task: dict[str, Any]) -> Format | None:
    """Return the format of a task's file; None when no row of it could be read."""
    if task["text_field"] is not None:
        return text_field_format(task["text_field"])
    return format_named(task["format"]) if task["format"] is not None else None


def first_pass(task: dict[str, Any]) -> dict[str, Any]:
    """Clean one partition.

    Args:
        task: `partition`, `format`, `text_field`, `policy` (a list of rules), `duplicates`, reading limits, and the
            unit's keys.

    """
    rules = [rule_from(parameters) for parameters in task["policy"]]
    fmt, relative = format_of(task), task["partition"]["relative"]
    report: dict[str, Any] = {"rows": 0, "edits": {}, "examples": {}, "given_up": task.get("given_up", [])}
    unit, duplicates = unit_of(task), Duplicates.model_validate(task["duplicates"])
    with (
        unit.file(f"run/work/first-pass/{task['name']}.parquet") as part,
        unit.file(f"edits/part-{task['name']}.parquet") as spans,
        _writer(part, FIRST_PASS_SCHEMA) as rows_out,
        _writer(spans, EDITS_SCHEMA) as spans_out,
        Traces(unit, task, duplicates) as traced,
        ReferenceMatches(unit, task, duplicates.reference) as matched,
    ):
        rows = rows_of(task)
        while batch_rows := list(islice(rows, BATCH_ROWS)):
            batch = apply_policy(read_batch(batch_rows, fmt), rules)
            rows_out.write_table(_table(batch, FIRST_PASS_SCHEMA, _columns(batch, traced, matched)))
            spans_out.write_table(pa.Table.from_pylist(_spans(batch, relative), schema=EDITS_SCHEMA))
            _count(report, batch)
    return unit.commit(report)


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True)


def _table(batch: Batch, schema: pa.Schema, frame: pl.DataFrame) -> pa.Table:
    places = {
        "source_row": pa.array([raw.source_row for raw in batch.rows], pa.int64()),
        "byte_offset": pa.array([raw.byte_offset for raw in batch.rows], pa.int64()),
        "id": pa.array(batch.ids, pa.string()),
        "error": pa.array(batch.errors, pa.string()),
    }
    others = frame.select(schema.names[len(places) :]).to_arrow()
    return pa.table({**places, **{name: others[name] for name in others.column_names}}).cast(schema)


def _columns(batch: Batch, traced: Traces, matched: ReferenceMatches) -> pl.DataFrame:
    """Return a line per row with what the rules found: reasons, values, edits, changed texts, size; and its traces."""
    rows = pl.LazyFrame({"row": pl.int_range(len(batch.rows), dtype=pl.UInt32, eager=True)})
    joined = rows
    for part in (_reasons(batch), _edits(batch), _changed_texts(batch), _sizes(batch)):
        joined = joined.join(part, on="row", how="left", maintain_order="left")
    readable = np.array([error is None for error in batch.errors], np.bool_)
    none = pl.lit([], dtype=pl.List(pl.String))
    columns = joined.with_columns(pl.col("reasons", "values", "edits").fill_null([])).collect()
    columns = columns.with_columns(reasons=pl.when(pl.Series(readable)).then("reasons").otherwise(none))
    references = matched.add(batch)
    clean = (columns["reasons"].list.len() == 0) & references["reference_id"].is_null()
    return columns.hstack(references).hstack(traced.add(batch.texts, readable & clean.to_numpy(), batch.rows))


def _reasons(batch: Batch) -> pl.LazyFrame:
    """Return all reasons of a row, in the policy's order, and the numbers behind them."""
    reasons = pl.col("rule").filter(pl.col("drop")).alias("reasons")
    values = pl.struct("rule", "value").alias("values")
    return batch.values.lazy().group_by("row", maintain_order=True).agg(reasons, values)


def _edits(batch: Batch) -> pl.LazyFrame:
    edits = batch.edits.lazy().group_by("row", "rule", maintain_order=True).agg(pl.col("count").sum())
    return edits.group_by("row", maintain_order=True).agg(pl.struct("rule", "count").alias("edits"))


def _changed_texts(batch: Batch) -> pl.LazyFrame:
    """Return all texts of the rows of which any was changed."""
    touched = batch.edits["row"].unique().implode()
    texts = batch.texts.lazy().filter(pl.col("row").is_in(touched))
    return texts.group_by("row", maintain_order=True).agg(pl.col("text").alias("texts"))


def _sizes(batch: Batch) -> pl.LazyFrame:
    characters = pl.col("text").str.len_chars().cast(pl.Int64)
    wide = pl.col("text").str.count_matches(f"[{HAN}{OTHER}]").cast(pl.Int64)
    sums = batch.texts.lazy().group_by("row").agg(characters.sum().alias("characters"), wide.sum().alias("wide"))
    tokens = (65 * pl.col("wide") + 25 * (pl.col("characters") - pl.col("wide"))) // 100
    return sums.select("row", "characters", tokens.alias("tokens"))


def _spans(batch: Batch, relative: str) -> list[dict[str, Any]]:
    """Return where rules changed texts: one span per rule and text, at most three per rule and row."""
    found: list[dict[str, Any]] = []
    seen: dict[tuple[int, str], int] = {}
    for row, place, rule, _, before, after in batch.edits.iter_rows():
        seen[row, rule] = seen.get((row, rule), 0) + 1
        if seen[row, rule] <= SPANS_PER_RULE:
            start, end, _ = difference(before, after)
            source = {"id": batch.ids[row], "source_file": relative, "source_row": batch.rows[row].source_row}
            found.append({**source, "place": place, "rule": rule, "start": start, "end": end})
    return found


def difference(before: str, after: str) -> tuple[int, int, int]:
    """Return [start, end) of `before` and [start, end2) of `after`: all that differs lies in them."""
    start = _common(before, after)
    back = _common(before[start:][::-1], after[start:][::-1])
    return start, len(before) - back, len(after) - back


def _common(one: str, other: str) -> int:
    """Return how many characters two texts share at the beginning; by halving, since slices compare at C speed."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


def _count(report: dict[str, Any], batch: Batch) -> None:
    """Add a batch to a report: rows, edits by rule, the first examples of each rule."""
    report["rows"] += len(batch.rows)
    for rule, rows, count in (
        batch.edits.group_by("rule").agg(pl.col("row").n_unique(), pl.col("count").sum()).iter_rows()
    ):
        known = report["edits"].setdefault(rule, {"rows": 0, "changes": 0})
        report["edits"][rule] = {"rows": known["rows"] + rows, "changes": known["changes"] + count}
    for row, _, rule, _, before, after in batch.edits.unique("rule", keep="first", maintain_order=True).iter_rows():
        examples = report["examples"].setdefault(rule, [])
        if len(examples) < EXAMPLES_PER_RULE:
            examples.append({"id": batch.ids[row], **_excerpt(rule, before, after)})


def _excerpt(rule: str, before: str, after: str) -> dict[str, str]:
    """Return what surrounds the first change; personal data itself is not shown again."""
    start, end, end_after = difference(before, after)
    left = max(0, start - EXAMPLE_CHARACTERS // 3)
    old = before[left : min(end, start + EXAMPLE_CHARACTERS) + EXAMPLE_CHARACTERS // 3]
    new = after[left : min(end_after, start + EXAMPLE_CHARACTERS) + EXAMPLE_CHARACTERS // 3]
    return {"before": "…" if rule == "personal_data" else old, "after": new}


def tasks_for(partitions: Sequence[Partition], shared: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one task per partition."""
    return [{**shared, "unit": f"first-{p.name}", "name": p.name, "partition": asdict(p)} for p in partitions]
