"""Pass 2 over a partition: every decision is known now, so good, bad, quarantine and ledger parts are written."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import polars as pl
import pyarrow as pa

from cleaning.duplicates.parts import DUPLICATES_FILE
from cleaning.duplicates.reference import REASON as REFERENCE
from cleaning.first_pass import format_of, rows_of
from cleaning.rows_out import Mark, RowWriter, json_line, open_writer
from cleaning.tasks import unit_of
from utils.data.formats import Format, Row, replace
from utils.data.ledger import LEDGER_SCHEMA, assert_balanced, write_ledger
from utils.data.reading import RawRow
from utils.errors import StageFailedError

SAMPLE_ROWS = 100
REVIEW_COLUMNS = {"review_verdict": "", "review_defect": "", "review_note": ""}

PARTS = "run/work/second-pass"


class _Decided(NamedTuple):
    """One row and all that was decided of it."""

    raw: RawRow
    mark: Mark
    error: str | None
    changed: Row | None
    sampled: int | None


def second_pass(task: dict[str, Any]) -> dict[str, Any]:
    """Write the parts of one partition.

    Args:
        task: as in pass 1, and `seed`, `source`.

    """
    unit = unit_of(task)
    frame = decisions(task)
    parquet = task["partition"]["kind"] == "parquet"
    suffix, source = "parquet" if parquet else "jsonl", Path(task["partition"]["path"])
    with ExitStack() as stack:

        def part(what: str, kind: str = "jsonl") -> Path:
            return stack.enter_context(unit.file(f"{PARTS}/{task['name']}.{what}.{kind}"))

        good = open_writer(part("good", suffix), source, parquet=parquet)
        bad = open_writer(part("bad", suffix), source, parquet=parquet)
        quarantine, sample = part("quarantine"), part("sample")
        _write_rows(_decided(task, frame), task["partition"]["relative"], good, bad, quarantine, sample)
        ledger = stack.enter_context(unit.file(f"ledger/part-{task['name']}.parquet"))
        write_ledger(_ledger(frame, task), ledger)
    report = counts_of(frame)
    assert_balanced(report, task["unit"])
    return unit.commit(report)


def decisions(task: dict[str, Any]) -> pl.DataFrame:
    """Return the pass-1 part of a task with duplicates joined in: `status`, all `reasons`, sampling priority.

    Reasons are the rules' in the policy's order, then of duplicates. A row that is both a copy and a reference names
    the row that it copies; the reference is in `run/work/reference/`.
    """
    root = Path(task["root"])
    rows = pl.scan_parquet(root / "run/work/first-pass" / f"{task['name']}.parquet", glob=False)
    found = pl.scan_parquet(root / DUPLICATES_FILE, glob=False)
    copies = found.filter(pl.col("part") == task["name"]).drop("part").rename({"reason": "copy"})
    joined = rows.join(copies, on="source_row", how="left", maintain_order="left")
    none = pl.lit([], pl.List(pl.String))
    copy = pl.when(pl.col("copy").is_not_null()).then(pl.concat_list("copy")).otherwise(none)
    referred = pl.when(pl.col("reference_id").is_not_null()).then(pl.lit([REFERENCE])).otherwise(none)
    status = (
        pl.when(pl.col("error").is_not_null())
        .then(pl.lit("quarantined"))
        .when(pl.col("reasons").list.len() > 0)
        .then(pl.lit("dropped"))
        .otherwise(pl.lit("kept"))
    )
    # The id is a hash already: its first 60 bits, mixed with the seed, draw rows whatever their order.
    drawn = pl.col("id").str.slice(0, 15).str.to_integer(base=16, dtype=pl.Int64) ^ _mixed(task["seed"])
    decided = joined.with_columns(
        reasons=pl.concat_list("reasons", copy, referred),
        duplicate_of=pl.coalesce("duplicate_of", "reference_id"),
        similarity=pl.coalesce("similarity", "reference_similarity"),
        cluster=pl.coalesce("cluster", "reference_id"),
    )
    return decided.with_columns(status=status, drawn=drawn).collect()


def _mixed(seed: int) -> int:
    """Return 60 bits of a seed, spread, so that neighbouring seeds draw different rows."""
    return (seed * 0x9E3779B97F4A7C15) & ((1 << 60) - 1)


def _decided(task: dict[str, Any], frame: pl.DataFrame) -> Iterator[_Decided]:
    """Give every row of the partition with its decision; both passes must see the same rows."""
    fmt = format_of(task)
    ranks = frame.filter(pl.col("error").is_null()).sort("drawn", "source_row").head(SAMPLE_ROWS)
    sampled = dict(zip(ranks["source_row"], ranks["drawn"], strict=True))
    columns = frame.select("source_row", "id", "reasons", "error", "texts").iter_rows()
    for raw, (source_row, given, reasons, error, texts) in zip(rows_of(task), columns, strict=True):
        if raw.source_row != source_row:
            raise StageFailedError(f"row {source_row} is now row {raw.source_row}", where=task["partition"]["path"])
        changed = _changed(raw, fmt, texts) if texts is not None else None
        yield _Decided(raw, Mark(given, reasons), error, changed, sampled.get(source_row))


def _changed(raw: RawRow, fmt: Format | None, texts: list[str]) -> Row:
    """Return the row with the cleaned texts in place."""
    if raw.row is None or fmt is None:
        raise StageFailedError("a row without texts cannot be changed")
    paths = [path for path, _, _ in fmt.texts(raw.row)]
    return replace(raw.row, dict(zip(paths, texts, strict=True)))


def _write_rows(
    rows: Iterator[_Decided], relative: str, good: RowWriter, bad: RowWriter, quarantine: Path, sample: Path
) -> None:
    with quarantine.open("wb") as refused, sample.open("wb") as drawn:
        for decided in rows:
            if decided.error is not None:
                refused.write(_quarantined(decided, relative) + b"\n")
                continue
            kept = not decided.mark.reasons
            row = decided.changed if kept else None  # what is dropped stays as it was
            (good if kept else bad).write(decided.raw, row, decided.mark)
            if decided.sampled is not None:
                drawn.write(_sampled(decided, relative, row) + b"\n")
    good.close()
    bad.close()


def _quarantined(decided: _Decided, relative: str) -> bytes:
    raw = decided.raw
    place = {"source_file": relative, "source_row": raw.source_row, "byte_offset": raw.byte_offset}
    return orjson.dumps({**place, "error": decided.error, "raw_base64": base64.b64encode(raw.raw).decode()})


def _sampled(decided: _Decided, relative: str, row: Row | None) -> bytes:
    """Return a line for review: the row as it is written, its place, and columns to fill in."""
    place = {"drawn": decided.sampled, "source_file": relative, "source_row": decided.raw.source_row}
    line = json_line(decided.raw, row, decided.mark)
    return orjson.dumps(place)[:-1] + b"," + line[1:-1] + b"," + orjson.dumps(REVIEW_COLUMNS)[1:]


def _ledger(frame: pl.DataFrame, task: dict[str, Any]) -> pa.Table:
    size = len(frame)
    same = {"source": pa.repeat(task["source"], size), "source_file": pa.repeat(task["partition"]["relative"], size)}
    table = frame.select([name for name in LEDGER_SCHEMA.names if name not in same]).to_arrow()
    columns = {name: same[name] if name in same else table[name] for name in LEDGER_SCHEMA.names}
    return pa.table(columns).cast(LEDGER_SCHEMA)


def counts_of(frame: pl.DataFrame) -> dict[str, Any]:
    """Return rows by status and reason, and characters and tokens of what is kept and dropped."""
    by_status = Counter(frame["status"].to_list())
    reasons = frame.filter(pl.col("status") == "dropped")["reasons"]
    report: dict[str, Any] = {"in": len(frame)}
    report |= {status: by_status.get(status, 0) for status in ("kept", "dropped", "quarantined")}
    report["by_reason"] = dict(sorted(Counter(reasons.list.first().to_list()).items()))
    report["by_any_reason"] = dict(sorted(Counter(reasons.explode().to_list()).items()))
    for status in ("kept", "dropped"):
        rows = frame.filter(pl.col("status") == status)
        report[f"{status}_size"] = {"characters": int(rows["characters"].sum()), "tokens": int(rows["tokens"].sum())}
    return report
