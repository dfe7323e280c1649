"""Rows of a finished run, cleaned once more from the original: what each rule did to a row, step by step.

The ledger holds no text, so before and after are computed again when somebody asks. The input must still be there and
unchanged; that is checked by the names of its partitions, which hold a hash of their content. A partition that was
given up is not touched again: what killed its workers would kill us.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from cleaning.batch import apply_policy, read_texts
from cleaning.config import CleanConfig
from cleaning.first_pass import format_of
from cleaning.run import partitions_of
from utils.data.partitions import Partition
from utils.data.reading import read_partition
from utils.errors import UserError
from utils.runs.commit import read_json, read_report, report_path
from utils.runs.config import load_config

Place = tuple[str, int]
"""(source_file, source_row)"""


class Step(NamedTuple):
    """What one rule did to one of a row's texts."""

    rule: str
    place: int
    role: str
    before: str
    after: str


class Replayed(NamedTuple):
    """A row of the input: its decision as the ledger has it, its texts before and after, and the steps between."""

    row: Mapping[str, Any]
    before: list[str]
    after: list[str]
    steps: list[Step]
    hits: list[tuple[str, str]]
    """(rule, what it found)"""
    given_up: str = ""
    """Why the row's whole partition went to quarantine; then there are no texts."""


def finished(run: Path) -> CleanConfig:
    """Return the config of a finished cleaning run; its relative paths begin where it was started.

    Raises:
        UserError: there is none at that place.

    """
    manifest = read_json(run / "manifest.json")
    if not isinstance(manifest, dict) or manifest.get("verb") != "clean":
        raise UserError("no finished cleaning run there", where=str(run), mend="posttrain status lists runs")
    config: CleanConfig = load_config(CleanConfig, run / "run" / "config.json")
    started = Path((read_json(run / "run" / "command.json") or {}).get("cwd", "."))
    if started == Path.cwd():
        return config
    sources = config.input if isinstance(config.input, list) else [config.input]
    return config.model_copy(update={"input": [started / source for source in sources]})


def ledger(run: Path) -> pl.LazyFrame:
    """Return the ledger of a run."""
    return pl.scan_parquet(sorted((run / "ledger").glob("*.parquet")), glob=False)


def replay(run: Path, rows: Iterable[Mapping[str, Any]]) -> Iterator[Replayed]:
    """Clean some rows of a finished run again; they come in the order of the input.

    Args:
        run: a finished cleaning run.
        rows: lines of its ledger.

    Raises:
        UserError: the input is no longer there, or is another.

    """
    config = finished(run)
    by_file: dict[str, dict[int, Mapping[str, Any]]] = {}
    for row in rows:
        by_file.setdefault(row["source_file"], {})[row["source_row"]] = row
    for partition, task in partitions_of(config):
        wanted = by_file.get(partition.relative, {})
        own = {number: row for number, row in wanted.items() if _holds(partition, number)}
        if own and (run / "ledger" / f"part-{partition.name}.parquet").exists():
            report = read_report(report_path(run, f"first-{partition.name}")) or {}
            if given_up := report.get("given_up"):
                yield from (Replayed(row, [], [], [], [], given_up[-1]) for row in own.values())
            else:
                yield from _clean(config, partition, task, own)
            for number in own:
                del wanted[number]
    if changed := [file for file, wanted in by_file.items() if wanted]:
        mend, where = "put the input of that run back", ", ".join(sorted(changed))
        raise UserError("the input changed since the run; its rows cannot be read again", where=where, mend=mend)


def rows_given_up(run: Path) -> int:
    """Return how many rows of a finished run no rule has seen, because their partitions were given up."""
    reports = map(read_report, (run / "run" / "reports").glob("first-*.json"))
    return sum(report["rows"] for report in reports if report and report.get("given_up"))


def _holds(partition: Partition, number: int) -> bool:
    return partition.first_row <= number and (partition.rows is None or number < partition.first_row + partition.rows)


def _clean(
    config: CleanConfig, partition: Partition, task: dict[str, Any], wanted: Mapping[int, Mapping[str, Any]]
) -> Iterator[Replayed]:
    found = []
    for raw in read_partition(partition, max_row_bytes=config.max_row_bytes, invalid_utf8=config.invalid_utf8):
        if raw.source_row in wanted:
            found.append(raw)
        if len(found) == len(wanted):
            break
    read = read_texts(found, format_of(task))
    done = apply_policy(read, config.policy)
    before = pl.DataFrame({"row": read.row, "text": read.text}, schema_overrides={"text": pl.String})
    for number, raw in enumerate(found):
        lines = done.texts.filter(pl.col("row") == number)
        edits = done.edits.filter(pl.col("row") == number).iter_rows(named=True)
        roles = dict(zip(lines["place"], lines["role"], strict=True))
        hits = done.hits.filter(pl.col("row") == number)
        yield Replayed(
            wanted[raw.source_row],
            before.filter(pl.col("row") == number)["text"].to_list(),
            lines["text"].to_list(),
            [Step(e["rule"], e["place"], roles[e["place"]], e["before"], e["after"]) for e in edits],
            list(zip(hits["rule"], hits["what"], strict=True)),
        )
