"""`posttrain tier`: a join of rows and attributes, one decision per row, and the files that follow from them."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from data_pipeline.tier.config import TierConfig
from data_pipeline.tier.controls import draw_controls
from data_pipeline.tier.limits import fillings
from data_pipeline.tier.measures import vectors_for, with_measures
from data_pipeline.tier.rows import FOLDER, gather, load
from data_pipeline.tier.select import HELD_OUT, decide
from data_pipeline.tier.story import CONTROLS, MATCHES
from data_pipeline.tier.write import write_targets
from utils.data.inputs import find_files
from utils.data.ledger import DECISIONS_SCHEMA, write_decisions
from utils.data.records import write_parquet
from utils.runs.directory import Run

Numbers = dict[str, Any]
ACCOUNT = "tiers.json"


def inputs(config: TierConfig) -> list[Path]:
    """Return what is read; a glob counts by its files."""
    given = [config.input, *(config.decontaminate.files if config.decontaminate else [])]
    read = [path for one in given for path in ([one] if one.exists() else [file.path for file in find_files(one)])]
    return [*read, config.attributes]


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
        misfits = write_targets(unit, decided, {**_targets(decided, config), **controls}, config.jsonl)
        account = account_of(decided, controls, misfits, config)
        with unit.file(ACCOUNT) as temporary:
            temporary.write_text(json.dumps(account, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        unit.commit({"counts": counts, "into": _sizes(decided)})
    _tell(run, account, misfits)
    return counts


def decisions(rows: pl.DataFrame, config: TierConfig) -> pl.DataFrame:
    """Return the decision for every row, in order; see `decide`."""
    return decide(with_measures(rows, config), config, partial(vectors_for, config))


def account_of(
    decided: pl.DataFrame, controls: dict[str, pl.Series], misfits: dict[str, int], config: TierConfig
) -> Numbers:
    """Return what lies in every file and how far budgets and quotas were filled.

    Returns:
        `into`: rows and tokens, also by language and source, of every target; `tiers`: per tier the candidates of its
        band, its budget and its quotas; `misfits`: rows that a format could not hold, by file.

    """
    targets = {**_targets(decided, config), **controls}
    into = {name: _account(decided.filter(inside)) for name, inside in targets.items()}
    tiers: Numbers = {}
    for band in config.bands:
        mine = decided.filter(pl.col("band") == band.name).with_columns(taken=pl.col("status") == "kept")
        tiers[band.name] = {"candidates": mine.height, "taken": int(mine["taken"].sum())}
        tiers[band.name] |= {"budget": {"rows": band.rows, "tokens": band.tokens}}
        tiers[band.name] |= {"quotas": fillings(mine, band, config)}
    return {"into": into, "tiers": tiers, "misfits": misfits}


def _account(rows: pl.DataFrame) -> Numbers:
    by = {name: dict(rows.group_by(name).len().sort(name).iter_rows()) for name in ("lang", "source")}
    return {"rows": rows.height, "tokens": int(rows["tokens"].sum()), **by}


def _tell(run: Run, account: Numbers, misfits: dict[str, int]) -> None:
    for name, target in account["into"].items():
        run.log.info("%s: rows %d, tokens %d", name, target["rows"], target["tokens"])
    for name, tier in account["tiers"].items():
        for quota in tier["quotas"]:
            if quota["short"] > 0.01 * quota["wanted"] and quota["value"] != "*":
                run.log.warning(
                    "%s: the quota %s=%s wants %d %s, the band has %d, %d were taken: %d short",
                    *(name, quota["by"], quota["value"], quota["wanted"], quota["unit"], quota["had"]),
                    *(quota["taken"], quota["short"]),
                )
    for path, rows in misfits.items():
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
