"""The sets of rows that an input holds: tiers, seeds and controls of a tier run, the pairs of a pairs run, or all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import pyarrow.parquet as pq

from utils.data.formats import detect
from utils.data.inputs import InputFile, find_files
from utils.data.partitions import plan_partitions
from utils.data.reading import read_partition
from utils.data.records import PREFERENCE_SCHEMA, RECORD_SCHEMA
from utils.errors import UserError
from utils.runs.commit import read_json

_OF_TIER = ("tiers", "seeds", "controls")


def named_sets(source: Path) -> dict[str, Path]:
    """Return where each set of an input lies, by its name.

    A tier run has `tiers/<name>`, `seeds/<name>`, `controls/<name>` and `held_out`, a pairs run `pairs`. Any other
    input is one set under its own name.
    """
    verb = (read_json(source / "manifest.json") or {}).get("verb") if source.is_dir() else None
    if verb == "tier":
        found = [path for folder in _OF_TIER for path in sorted((source / folder).glob("*.parquet"))]
        found += [path for path in [source / "held_out.parquet"] if path.exists()]
        rows = [path for path in found if set(RECORD_SCHEMA.names) <= set(pq.read_schema(path).names)]
        return {path.relative_to(source).with_suffix("").as_posix(): path for path in rows}
    if verb == "pairs":
        return {"pairs": source / "pairs.parquet"}
    return {re.sub(r"[^A-Za-z0-9._-]+", "-", source.name.split(".")[0]).strip("-") or "rows": source}


def chosen_sets(source: Path, patterns: Sequence[str] | None) -> dict[str, Path]:
    """Return the sets that globs name; by default the tiers, or the only set.

    Raises:
        UserError: a glob names no set; those that are there are listed.

    """
    there = named_sets(source)
    tiers = {name: path for name, path in there.items() if name.startswith("tiers/")}
    if patterns is None:
        return tiers or there
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in there):
            raise UserError(f"no set {pattern!r}", where=str(source), mend=f"there are {', '.join(there) or 'none'}")
    return {name: path for name, path in there.items() if any(fnmatchcase(name, p) for p in patterns)}


def file_stem(name: str) -> str:
    """Return the name of a set's file: a tier goes by its own name, `seeds/round-1` becomes `seeds-round-1`."""
    return name.removeprefix("tiers/").replace("/", "-")


def holds_pairs(source: Path, format: str | None = None) -> bool:
    """Tell by the first row whether a set holds preference pairs.

    Raises:
        UserError: nothing readable, or a row of no known format.

    """
    for file in find_files(source):
        if file.kind == "parquet":
            names = set(pq.read_schema(file.path).names)
            if set(PREFERENCE_SCHEMA.names) <= names:
                return True
            if set(RECORD_SCHEMA.names) <= names:
                return False
        if (found := _first_is_pair(file, format)) is not None:
            return found
    return False


def _first_is_pair(file: InputFile, format: str | None) -> bool | None:
    for partition in plan_partitions(file):
        for raw in read_partition(partition):
            if raw.row is None:
                return None
            if raw.row.keys() == set(RECORD_SCHEMA.names):
                return False
            return detect(raw.row, name=format, where=str(file.path)).preference is not None
    return None
