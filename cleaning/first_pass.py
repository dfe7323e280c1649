"""Pass 1 over a partition: read, apply the policy, hash; narrow columns out, no row is written yet.

The part that it leaves has a line per input row, in order. Texts are in it only where a rule changed them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from cleaning.batch import Batch, apply_policy, read_texts
from cleaning.changes import EDITS_SCHEMA, count, spans
from cleaning.duplicates import traces
from cleaning.duplicates.config import Duplicates
from cleaning.duplicates.reference import ReferenceMatches
from cleaning.duplicates.traces import Traces
from cleaning.give_up import refused_rows
from cleaning.policy import rule_from
from cleaning.prose import languages_from
from cleaning.rows_out import plain_rows
from cleaning.scan import AT
from cleaning.tasks import unit_of
from cleaning.tokens import token_counts
from utils.data.formats import Format, format_named
from utils.data.formats.text_field import text_field_format
from utils.data.partitions import Partition
from utils.data.reading import RawRows, read_batches

BATCH_ROWS = 8192

FIRST_PASS_SCHEMA = pa.schema(
    [
        ("source_row", pa.int64()),
        ("byte_offset", pa.int64()),
        ("id", pa.string()),
        ("error", pa.string()),
        ("plain", pa.bool_()),
        ("reasons", pa.list_(pa.string())),
        ("values", pa.list_(pa.struct([("rule", pa.string()), ("value", pa.float64())]))),
        ("edits", pa.list_(pa.struct([("rule", pa.string()), ("count", pa.int32())]))),
        ("texts", pa.list_(pa.string())),
        *traces.COLUMNS,
        ("reference_id", pa.string()),
        ("reference_similarity", pa.float32()),
        ("lang", pa.string()),
        ("characters_in", pa.int64()),
        ("characters", pa.int64()),
        ("tokens", pa.int64()),
    ]
)
"""`plain`: the row's bytes may be written as they are. `lang` and `characters_in` are of the texts as they were read,
`characters` and `tokens` of the cleaned ones."""
_PLACES = 5  # columns that come with the rows


def batches_of(task: dict[str, Any], *, parse: bool = True) -> Iterator[RawRows]:
    """Give the rows of a task's partition; refused ones where it was given up."""
    if task.get("given_up"):
        rows = refused_rows(task)
        return (RawRows.of(some) for some in iter(lambda: list(islice(rows, BATCH_ROWS)), []))
    limits = {"max_row_bytes": task["max_row_bytes"], "invalid_utf8": task["invalid_utf8"]}
    return read_batches(Partition(**task["partition"]), BATCH_ROWS, **limits, parse=parse)


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
    tokenizer = Path(task["tokenizer"]) if task["tokenizer"] else None
    report: dict[str, Any] = {"rows": 0, "edits": {}, "kinds": {}, "examples": {}, "given_up": task.get("given_up", [])}
    unit, duplicates = unit_of(task), Duplicates.model_validate(task["duplicates"])
    with (
        unit.file(f"run/work/first-pass/{task['name']}.parquet") as part,
        unit.file(f"edits/part-{task['name']}.parquet") as changed,
        _writer(part, FIRST_PASS_SCHEMA) as rows_out,
        _writer(changed, EDITS_SCHEMA) as spans_out,
        Traces(unit, task, duplicates) as traced,
        ReferenceMatches(unit, task, duplicates.reference) as matched,
    ):
        for rows in batches_of(task):
            batch = apply_policy(read_texts(rows, fmt), rules)
            columns = _columns(batch, traced, matched, tokenizer)
            rows_out.write_table(_table(batch, rows, columns))
            spans_out.write_table(spans(batch, relative, rows.first))
            count(report, batch)
    return unit.commit(report)


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True)


def _table(batch: Batch, rows: RawRows, frame: pl.DataFrame) -> pa.Table:
    places = {
        "source_row": pa.array(np.arange(rows.first, rows.first + len(rows))),
        "byte_offset": pa.array(rows.offsets, pa.int64()),
        "id": pa.array(batch.ids, pa.string()),
        "error": pa.array(batch.errors, pa.string()),
        "plain": pa.array(plain_rows(rows), pa.bool_()),
    }
    others = frame.select(FIRST_PASS_SCHEMA.names[_PLACES:]).to_arrow().combine_chunks()
    return pa.table({**places, **{name: others[name] for name in others.column_names}}).cast(FIRST_PASS_SCHEMA)


def _columns(batch: Batch, traced: Traces, matched: ReferenceMatches, tokenizer: Path | None) -> pl.DataFrame:
    """Return a line per row with what the rules found: reasons, values, edits, changed texts, size; and its traces."""
    rows = pl.LazyFrame({"row": pl.int_range(len(batch.rows), dtype=pl.UInt32, eager=True)})
    joined = rows
    for part in (_reasons(batch), _edits(batch), _changed_texts(batch)):
        joined = joined.join(part, on="row", how="left", maintain_order="left")
    readable = np.array([error is None for error in batch.errors], np.bool_)
    none = pl.lit([], dtype=pl.List(pl.String))
    columns = joined.with_columns(pl.col("reasons", "values", "edits").fill_null([])).collect()
    columns = columns.with_columns(reasons=pl.when(pl.Series(readable)).then("reasons").otherwise(none))
    references = matched.add(batch)
    clean = (columns["reasons"].list.len() == 0) & references["reference_id"].is_null()
    columns = columns.hstack(references).hstack(_sizes(batch, readable, tokenizer))
    return columns.hstack(traced.add(batch.texts, readable & clean.to_numpy(), batch.rows))


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


def _sizes(batch: Batch, readable: np.ndarray, tokenizer: Path | None) -> pl.DataFrame:
    """Return language and size of every row; nulls for one that could not be read."""
    row, rows = batch.texts["row"].to_numpy(), len(batch.rows)

    def sums(values: np.ndarray) -> np.ndarray:
        return np.bincount(row, values, minlength=rows).astype(np.int64)

    scripts = [sums(batch.counts_in[:, AT[name]]) for name in ("han", "latin", "other_script")]
    tokens = token_counts(batch.texts["text"].to_list() if tokenizer else (), batch.counts, tokenizer)
    columns = {
        "lang": languages_from(*scripts).astype(object),
        "characters_in": sums(batch.counts_in[:, AT["characters"]]),
        "characters": sums(batch.counts[:, AT["characters"]]),
        "tokens": sums(tokens),
    }
    found = pl.DataFrame(columns, schema_overrides={"lang": pl.String})
    return found.with_columns(pl.when(pl.Series(readable)).then(pl.all()))
