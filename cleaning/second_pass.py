"""Pass 2 over a partition: every decision is known now, so good, bad, quarantine and ledger parts are written."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from cleaning.duplicates.parts import DUPLICATES_FILE
from cleaning.duplicates.reference import REASON as REFERENCE
from cleaning.first_pass import batches_of, format_of
from cleaning.rows_out import open_writer
from cleaning.sampling import candidates, strata
from cleaning.shape import shape_of
from cleaning.tasks import part_name, unit_of
from cleaning.write_batch import Outputs
from utils.data.ledger import LEDGER_SCHEMA, assert_balanced, write_ledger
from utils.errors import StageFailedError

# What pass 2 needs of pass 1; the others are hashes and numbers that only the search for duplicates reads.
_DECIDED = (
    *("source_row", "id", "error", "plain", "reasons", "edits", "texts"),
    *("reference_id", "reference_similarity", "lang", "characters_in", "characters", "tokens"),
)


def second_pass(task: dict[str, Any]) -> dict[str, Any]:
    """Write the parts of one partition.

    Args:
        task: as in pass 1, and `seed`, `source`.

    """
    unit, frame = unit_of(task), decisions(task)
    with ExitStack() as stack:

        def part(name: str) -> Path:
            return stack.enter_context(unit.file(name))

        _write_rows(task, frame, {what: part(part_name(task, what)) for what in ("good", "bad", "quarantine")})
        candidates(frame, task["seed"]).write_parquet(part(part_name(task, "sample")))
        write_ledger(_ledger(frame, task), part(f"ledger/part-{task['name']}.parquet"))
    report = {**counts_of(frame), "shape": shape_of(frame), "strata": strata(frame)}
    assert_balanced(report, task["unit"])
    return unit.commit(report)


def _write_rows(task: dict[str, Any], frame: pl.DataFrame, files: dict[str, Path]) -> None:
    """Write every row of the partition; both passes must see the same rows."""
    source, parquet = Path(task["partition"]["path"]), task["partition"]["kind"] == "parquet"
    good, bad = (open_writer(files[what], source, parquet=parquet) for what in ("good", "bad"))
    at = 0
    with files["quarantine"].open("wb") as refused:
        fmt, relative = format_of(task), task["partition"]["relative"]
        outputs = Outputs(relative, fmt, task["invalid_utf8"], good, bad, refused)
        for rows in batches_of(task, parse=False):
            outputs.write(rows, frame.slice(at, len(rows)))
            at += len(rows)
    good.close()
    bad.close()
    if at != len(frame):
        raise StageFailedError(f"{at} rows, {len(frame)} were decided on", where=str(source))


def decisions(task: dict[str, Any]) -> pl.DataFrame:
    """Return the pass-1 part of a task with duplicates joined in: `status`, all `reasons`.

    Reasons are the rules' in the policy's order, then of duplicates. A row that is both a copy and a reference names
    the row that it copies; the reference is in `run/work/reference/`.
    """
    root = Path(task["root"])
    rows = pl.scan_parquet(root / "run/work/first-pass" / f"{task['name']}.parquet", glob=False).select(_DECIDED)
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
    decided = joined.with_columns(
        reasons=pl.concat_list("reasons", copy, referred),
        duplicate_of=pl.coalesce("duplicate_of", "reference_id"),
        similarity=pl.coalesce("similarity", "reference_similarity"),
        cluster=pl.coalesce("cluster", "reference_id"),
    )
    return decided.with_columns(status=status).collect()


def _ledger(frame: pl.DataFrame, task: dict[str, Any]) -> pa.Table:
    size = len(frame)
    same = {"source": pa.repeat(task["source"], size), "source_file": pa.repeat(task["partition"]["relative"], size)}
    table = frame.select([name for name in LEDGER_SCHEMA.names if name not in same]).to_arrow()
    columns = {name: same[name] if name in same else table[name] for name in LEDGER_SCHEMA.names}
    # In one piece: pieces, of which threads make any number, would each get a dictionary, and the file other bytes.
    return pa.table(columns).combine_chunks().cast(LEDGER_SCHEMA)


def counts_of(frame: pl.DataFrame) -> dict[str, Any]:
    """Return rows by status and reason, and characters and tokens of what is kept and dropped."""
    by_status = dict(frame["status"].value_counts().iter_rows())
    reasons = frame.filter(pl.col("status") == "dropped")["reasons"]
    report: dict[str, Any] = {"in": len(frame)}
    report |= {status: by_status.get(status, 0) for status in ("kept", "dropped", "quarantined")}
    report["by_reason"] = dict(sorted(Counter(reasons.list.first().to_list()).items()))
    report["by_any_reason"] = dict(sorted(Counter(reasons.explode().to_list()).items()))
    for status in ("kept", "dropped"):
        rows = frame.filter(pl.col("status") == status)
        report[f"{status}_size"] = {"characters": int(rows["characters"].sum()), "tokens": int(rows["tokens"].sum())}
    return report
