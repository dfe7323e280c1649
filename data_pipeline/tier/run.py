"""`posttrain tier`: a join of rows and attributes, one decision per row, and the files that follow from them."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from data_pipeline.tier.account import account_of
from data_pipeline.tier.choices import REST
from data_pipeline.tier.config import TierConfig
from data_pipeline.tier.controls import TOLERANCE, draw_controls
from data_pipeline.tier.limits import SHORT
from data_pipeline.tier.measures import vectors_for, with_measures
from data_pipeline.tier.report import ACCOUNT
from data_pipeline.tier.report import report as report  # the stage's own name for it
from data_pipeline.tier.rows import FOLDER, gather, load
from data_pipeline.tier.select import HELD_OUT, decide
from data_pipeline.tier.story import CONTROLS, MATCHES
from data_pipeline.tier.write import write_targets
from utils.data.inputs import find_files
from utils.data.ledger import DECISIONS_SCHEMA, write_decisions
from utils.data.records import write_parquet
from utils.runs.directory import Run

Numbers = dict[str, Any]


def inputs(config: TierConfig) -> list[Path]:
    """Return what is read; a glob counts by its files."""
    given = [config.input, *(config.decontaminate.files if config.decontaminate else [])]
    read = [path for one in given for path in ([one] if one.exists() else [file.path for file in find_files(one)])]
    model = config.decontaminate.model if config.decontaminate else None
    return [*read, config.attributes, *([model] if model else [])]


def dry_run(config: TierConfig) -> Numbers:
    """Return how many rows would go where, and why the others would not."""
    rows, _ = gather(config, None)
    decided = decisions(rows, config)
    return {"rows": decided.height, "counts": _counts(decided), "into": _sizes(decided)}


def work(run: Run, config: TierConfig) -> Numbers:
    """Read the rows once, decide, and write tiers, seeds, held-out rows, controls and the decision for every row."""
    if (report := run.committed("tier")) is not None:
        return dict(report["counts"])
    if run.committed("rows") is None:
        with run.unit("rows") as unit:
            with unit.directory(FOLDER) as folder:
                rows, _ = gather(config, folder)
            unit.commit({"rows": rows.height})
    rows, matches = load(run.path)
    run.stop.check()
    decided = decisions(rows, config)
    counts = _counts(decided)
    controls = _controls(decided, config)
    with run.unit("tier") as unit:
        with unit.file("ledger/decisions.parquet") as temporary:
            table = decided.select(DECISIONS_SCHEMA.names).to_arrow(compat_level=pl.CompatLevel.oldest())
            write_decisions(table.cast(DECISIONS_SCHEMA), temporary)
        if config.decontaminate:
            with unit.file(MATCHES) as temporary:
                write_parquet(_plain(matches), temporary)
        if controls:
            with unit.file(CONTROLS) as temporary:
                write_parquet(_plain(_members(decided, controls)), temporary)
        targets = {**_targets(decided, config), **controls}
        account = account_of(decided, targets, write_targets(unit, decided, targets, config.jsonl), config)
        with unit.file(ACCOUNT) as temporary:
            temporary.write_text(json.dumps(account, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        unit.commit({"counts": counts, "into": _sizes(decided)})
    _tell(run, account)
    return counts


def decisions(rows: pl.DataFrame, config: TierConfig) -> pl.DataFrame:
    """Return the decision for every row, in order; see `decide`."""
    return decide(with_measures(rows, config), config, partial(vectors_for, config))


def _tell(run: Run, account: Numbers) -> None:
    """Say in the log what was made, and every wish that was not met."""
    for name, target in account["into"].items():
        run.log.info("%s: rows %d, tokens %d", name, target["rows"], target["tokens"])
    for name, tier in account["tiers"].items():
        for quota in tier["quotas"]:
            if quota["short"] > SHORT * quota["wanted"] and quota["value"] != REST:
                run.log.warning(
                    "%s: the quota %s=%s wants %d %s, the band has %d, %d were taken: %d short (%s)",
                    *(name, quota["by"], quota["value"], quota["wanted"], quota["unit"], quota["had"]),
                    *(quota["taken"], quota["short"], quota["because"] or "no other row has it"),
                )
    for name, seed in account["seeds"].items():
        if (seed["rows"] or 0) > (found := account["into"][f"seeds/{name}"]["rows"]):
            run.log.warning("seeds/%s: wants %d rows, %s had %d for it", name, seed["rows"], seed["from"], found)
    for name, off in account["controls"].items():
        if abs(off) > TOLERANCE:
            run.log.warning("controls/%s: its tokens are %+.1f %% of the tier's: no rows fit better", name, 100 * off)
    for path, rows in account["misfits"].items():
        run.log.warning("%s: %d rows do not fit this format; they are in the Parquet alone", path, rows)


def _targets(decided: pl.DataFrame, config: TierConfig) -> dict[str, pl.Series]:
    """Return which rows are in each file, by its name."""
    names = [*(f"tiers/{band.name}" for band in config.bands), *(f"seeds/{seed.name}" for seed in config.seeds)]
    return {name: (decided["into"] == name).fill_null(value=False) for name in (HELD_OUT, *names)}


def _controls(decided: pl.DataFrame, config: TierConfig) -> dict[str, pl.Series]:
    found = {band.name: draw_controls(decided, band.name, config.controls, config.seed) for band in config.bands}
    return {f"controls/{tier}-{kind}": rows for tier, kinds in found.items() for kind, rows in kinds.items()}


def _members(decided: pl.DataFrame, controls: dict[str, pl.Series]) -> pl.DataFrame:
    """Return `id, control`: which rows are in which control."""
    parts = [
        decided.filter(inside).select("id", control=pl.lit(name.removeprefix("controls/")))
        for name, inside in controls.items()
    ]
    return pl.concat(parts)


def _plain(frame: pl.DataFrame) -> pa.Table:
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


def _counts(decided: pl.DataFrame) -> Numbers:
    statuses = decided["status"].to_list()
    dropped = decided.filter(pl.col("status") == "dropped").select(pl.col("reasons").list.first().alias("reason"))
    by_reason = dropped.group_by("reason").len().sort("reason")
    counts = {name: statuses.count(name) for name in ("kept", "dropped", "quarantined")}
    return {"in": decided.height, **counts, "by_reason": dict(by_reason.iter_rows())}


def _sizes(decided: pl.DataFrame) -> dict[str, int]:
    return dict(decided.drop_nulls("into").group_by("into").len().sort("into").iter_rows())
