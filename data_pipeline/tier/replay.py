"""`posttrain tier replay RUN --set …`: what another threshold would change, in seconds, from what a run has read.

Nothing is read or measured again: the columns that the run kept are joined with the attributes and decided anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from data_pipeline.tier.config import TierConfig
from data_pipeline.tier.rows import load
from data_pipeline.tier.run import decisions
from utils.data.records import read_parquet, write_parquet
from utils.errors import UserError
from utils.runs.commit import read_json
from utils.runs.config import load_config, resolved

_READ = ("input", "format", "text_field", "families", "decontaminate")


def command(argv: list[str]) -> int:
    """Carry out `posttrain tier replay`."""
    parser = argparse.ArgumentParser(prog="posttrain tier replay", description=__doc__, allow_abbrev=False)
    parser.add_argument("run", type=Path, help="a finished tier run")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="another value; repeatable")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")
    options = parser.parse_args(argv)
    changed = replay(options.run, options.set)
    summary = summed(changed)
    path = _written(changed.filter(pl.col("before") != pl.col("after")), options.run, options.set)
    if options.json:
        sys.stdout.write(json.dumps({"changes": str(path), "places": summary}, ensure_ascii=False, indent=2) + "\n")
        return 0
    sys.stdout.write(f"{'':<32} {'rows':>8} {'now':>8} {'gained':>8} {'lost':>8} {'tokens':>12} {'now':>12}\n")
    for row in summary:
        numbers = f"{row['rows']:>8} {row['rows_now']:>8} {row['gained']:>8} {row['lost']:>8}"
        sys.stdout.write(f"{row['place']:<32} {numbers} {row['tokens']:>12} {row['tokens_now']:>12}\n")
    sys.stdout.write(f"the rows that move: {path}\n")
    return 0


def replay(run: Path, overrides: list[str]) -> pl.DataFrame:
    """Return where every row of a finished run is, and where it would be.

    Args:
        run: a finished tier run.
        overrides: `key=value`, as `--set` takes them.

    Returns:
        `id, before, after, reasons, tokens`, one row per row in its order: `before` and `after` are the file, or
        dropped or quarantined; `reasons` are those of the new decision.

    Raises:
        UserError: no finished tier run, or another value for a key that needs the texts.

    """
    manifest = read_json(run / "manifest.json")
    if not isinstance(manifest, dict) or manifest.get("verb") != "tier":
        raise UserError("no finished tier run there", where=str(run), mend="posttrain status lists runs")
    was = load_config(TierConfig, run / "run" / "config.json")
    now = load_config(TierConfig, run / "run" / "config.json", overrides)
    before, after = resolved(was), resolved(now)
    if other := [key for key in _READ if before[key] != after[key]]:
        mend = "posttrain tier with another output"
        raise UserError(f"{other[0]} decides what is read: it cannot be replayed", where=str(run), mend=mend)
    ledger = pl.DataFrame(pl.from_arrow(read_parquet(run / "ledger" / "decisions.parquet")))
    decided = decisions(load(run)[0], now)
    return decided.select(
        "id",
        before=ledger.select(pl.coalesce("into", "status")).to_series(),
        after=pl.coalesce("into", "status"),
        reasons="reasons",
        tokens=pl.col("tokens").fill_null(0),
    )


def summed(changed: pl.DataFrame) -> list[dict[str, Any]]:
    """Return per file (and for dropped and quarantined) rows and tokens before and now, rows gained and lost."""
    found = []
    for place in sorted({*changed["before"], *changed["after"]}):
        was, now = pl.col("before") == place, pl.col("after") == place
        numbers = changed.select(
            rows=was.sum(),
            rows_now=now.sum(),
            gained=(now & ~was).sum(),
            lost=(was & ~now).sum(),
            tokens=pl.col("tokens").filter(was).sum(),
            tokens_now=pl.col("tokens").filter(now).sum(),
        )
        found.append({"place": place, **numbers.row(0, named=True)})
    return found


def _written(moved: pl.DataFrame, run: Path, overrides: list[str]) -> Path:
    """Write the rows that move into the run, under a name made of what was set; return where."""
    name = hashlib.blake2b("\n".join(overrides).encode(), digest_size=4).hexdigest()
    path = run / "run" / "replays" / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp.{os.getpid()}")
    table: pa.Table = moved.to_arrow(compat_level=pl.CompatLevel.oldest())
    try:
        write_parquet(table.replace_schema_metadata({"set": json.dumps(overrides)}), temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
