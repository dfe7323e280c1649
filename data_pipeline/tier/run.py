"""`posttrain tier`: a join of rows and attributes, one decision per row, and the files that follow from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow as pa

from data_pipeline.attributes.store import load_columns, numeric_columns
from data_pipeline.tier.config import TierConfig
from data_pipeline.tier.families import prompt_families
from data_pipeline.tier.select import HELD_OUT, decide
from utils.data.inputs import find_files
from utils.data.ledger import DECISIONS_SCHEMA, write_decisions
from utils.data.records import records_to_table, write_parquet
from utils.data.streaming import iter_records
from utils.errors import UserError
from utils.runs.commit import Unit
from utils.runs.directory import Run


def inputs(config: TierConfig) -> list[Path]:
    """Return what is read; a glob counts by its files."""
    rows = [config.input] if config.input.exists() else [file.path for file in find_files(config.input)]
    return [*rows, config.attributes]


def dry_run(config: TierConfig) -> dict[str, Any]:
    """Return how many rows would go where, and why the others would not."""
    decided = _decided(_records(config), config)
    return {"rows": decided.height, "counts": _counts(decided), "into": _sizes(decided)}


def work(run: Run, config: TierConfig) -> dict[str, Any]:
    """Write tiers, seeds, held-out rows and the decision for every row, as one unit."""
    if (report := run.committed("tier")) is not None:
        return dict(report["counts"])
    records = _records(config)
    decided = _decided(records, config)
    counts = _counts(decided)
    with run.unit("tier") as unit:
        with unit.file("ledger/decisions.parquet") as temporary:
            decisions = decided.select(DECISIONS_SCHEMA.names).to_arrow(compat_level=pl.CompatLevel.oldest())
            write_decisions(decisions.cast(DECISIONS_SCHEMA), temporary)
        for name in _targets(config):
            _write_rows(
                unit, name, records.filter(pa.array((decided["into"] == name).fill_null(value=False).to_list()))
            )
        unit.commit({"counts": counts, "into": _sizes(decided)})
    run.log.info("rows: %s", ", ".join(f"{name} {rows}" for name, rows in _sizes(decided).items()))
    return counts


def _targets(config: TierConfig) -> list[str]:
    tiers = [f"tiers/{band.name}" for band in config.bands]
    return [HELD_OUT, *tiers, *(f"seeds/{seed.name}" for seed in config.seeds)]


def _records(config: TierConfig) -> pa.Table:
    return records_to_table(list(iter_records(config.input, format=config.format, text_field=config.text_field)))


def _decided(records: pa.Table, config: TierConfig) -> pl.DataFrame:
    """Return the decision for every record, in order.

    Raises:
        UserError: no rows, or a measure that is no number.

    """
    if not records.num_rows:
        raise UserError("no rows to put into tiers", where=str(config.input), mend="name an input that has rows")
    rows = pl.DataFrame(pl.from_arrow(records.select(["id", "lang", "messages"])))
    rows = rows.with_columns(prompt_families(rows)).drop("messages")
    measures = load_columns(config.attributes, config.columns)
    for name in config.columns:
        if not measures[name].dtype.is_numeric():
            attribute = name.partition(".")[0]
            mend = f"numbers: {', '.join(numeric_columns(config.attributes, attribute)) or 'none'}"
            raise UserError(f"{name} is no number but {measures[name].dtype}", where=str(config.attributes), mend=mend)
    return decide(rows.join(measures, on="id", how="left", maintain_order="left"), config)


def _counts(decided: pl.DataFrame) -> dict[str, Any]:
    statuses = decided["status"].to_list()
    dropped = decided.filter(pl.col("status") == "dropped").select(pl.col("reasons").list.first().alias("reason"))
    by_reason = dropped.group_by("reason").len().sort("reason")
    counts = {name: statuses.count(name) for name in ("kept", "dropped", "quarantined")}
    return {"in": decided.height, **counts, "by_reason": dict(by_reason.iter_rows())}


def _sizes(decided: pl.DataFrame) -> dict[str, int]:
    return dict(decided.drop_nulls("into").group_by("into").len().sort("into").iter_rows())


def _write_rows(unit: Unit, name: str, table: pa.Table) -> None:
    """Write records as `<name>.parquet`; a tier also as chat rows in `<name>.jsonl`."""
    with unit.file(f"{name}.parquet") as temporary:
        write_parquet(table, temporary)
    if not name.startswith("tiers/"):
        return
    with unit.file(f"{name}.jsonl") as temporary, temporary.open("wb") as file:
        for row in table.select(["id", "messages"]).to_pylist():
            file.write(orjson.dumps({"messages": row["messages"], "clean_id": row["id"]}) + b"\n")
