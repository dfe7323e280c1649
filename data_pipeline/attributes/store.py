"""Reading what `posttrain attributes` wrote: for tiers, selections and reports."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from utils.data.records import read_parquet
from utils.errors import UserError
from utils.runs.commit import read_json

_NUMBER = re.compile(r"u?int\d+|(half)?float|double")


def load_attribute(run: Path, name: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Return `id` and the named columns (default: all) of an attribute, one row per id.

    Raises:
        UserError: there is no such attribute or column, the nearest is offered; or columns of no rows are asked for.

    """
    folder = run / "attributes" / name
    manifest = read_json(folder / "manifest.json")
    if manifest is None:
        there = sorted(path.parent.name for path in (run / "attributes").glob("*/manifest.json"))
        raise UserError(f"no attribute {name!r}", where=str(run), mend=_nearest(name, there))
    if columns and not manifest.get("rows", manifest["parts"]):
        raise UserError(
            f"no rows: {name} was measured on none", where=str(folder), mend="measure an input that has rows"
        )
    there = [known for known in manifest["columns"] if known != "id"]
    for column in columns or ():
        if column not in there:
            numbers = ", ".join(numeric_columns(run, name))
            mend = f"{_nearest(column, there)}; numbers: {numbers}"
            raise UserError(f"no column {name}.{column}", where=str(folder), mend=mend)
    wanted = list(manifest["columns"]) if columns is None else ["id", *columns]
    parts = [pl.DataFrame(pl.from_arrow(read_parquet(folder / part, wanted))) for part in manifest["parts"]]
    return pl.concat(parts) if parts else pl.DataFrame(schema={"id": pl.String})


def numeric_columns(run: Path, name: str) -> list[str]:
    """Return the columns of an attribute that are numbers, by its manifest."""
    manifest = read_json(run / "attributes" / name / "manifest.json") or {"columns": {}}
    return [column for column, kind in manifest["columns"].items() if _NUMBER.fullmatch(kind)]


def load_columns(run: Path, names: Iterable[str]) -> pl.DataFrame:
    """Return `id` and a column `attribute.column` for every such name, one row per id that has any of them.

    Raises:
        UserError: as `load_attribute`.

    """
    by_attribute: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        attribute, _, column = name.partition(".")
        by_attribute.setdefault(attribute, []).append(column)
    joined = pl.DataFrame(schema={"id": pl.String})
    for attribute, columns in by_attribute.items():
        table = load_attribute(run, attribute, columns)
        table = table.rename({column: f"{attribute}.{column}" for column in columns})
        joined = joined.join(table, on="id", how="full", coalesce=True)
    return joined


def _nearest(name: str, there: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, there, n=1, cutoff=0.0)
    return f"nearest: {near[0]}" if near else "run posttrain attributes first"
