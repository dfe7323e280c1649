"""Rows to be read by people: of each rule some that it dropped or changed, with what is needed to judge it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from cleaning.replay import Replayed, finished, ledger, replay
from cleaning.review import COLUMNS
from cleaning.strata import drawn
from utils.errors import UserError

LONGEST = 4000
"""Characters shown of a text."""


def draw(run: Path, per_rule: int, *, rule: str | None = None, seed: int | None = None) -> Iterator[dict[str, Any]]:
    """Give lines for review: up to `per_rule` rows of every rule that dropped or changed some, drawn by the seed.

    Args:
        run: a finished cleaning run; its input must still be there.
        per_rule: rows of each rule.
        rule: only this one.
        seed: of the draw; by default the run's.

    Raises:
        UserError: no such run, or the rule did nothing in it; those that did are named.

    """
    config = finished(run)
    told = _told(run, config.seed if seed is None else seed)
    names = sorted({name for name, _, _ in told})
    if rule is not None and rule not in names:
        raise UserError(f"{rule!r} dropped and changed nothing", where=str(run), mend=f"one of: {', '.join(names)}")
    chosen: list[tuple[str, str, dict[str, Any]]] = []
    for name in names if rule is None else [rule]:
        own = [(what, row) for one, what, row in told if one == name]
        chosen += [(name, what, row) for what, row in own[:per_rule]]
    again = {_place(found.row): found for found in replay(run, _with_survivors(run, chosen))}
    repeated = _references(run) | {found.row["id"]: found.before for found in again.values()}
    for name, what, row in chosen:
        yield _line(name, what, again[_place(row)], repeated.get(row["duplicate_of"]))


def _told(run: Path, seed: int) -> list[tuple[str, str, dict[str, Any]]]:
    """Return (rule, dropped or changed, ledger row) in the order of the draw."""
    columns = ("id", "source_file", "source_row", "status", "reasons", "duplicate_of", "similarity", "edits")
    rows = ledger(run).filter(pl.col("status") != "quarantined").select(*columns).with_columns(drawn=drawn(seed))
    touched = rows.filter((pl.col("reasons").list.len() > 0) | (pl.col("edits").list.len() > 0))
    found = touched.sort("drawn", "source_file", "source_row").collect()
    told: list[tuple[str, str, dict[str, Any]]] = []
    for row in found.iter_rows(named=True):
        told += [(str(reason), "dropped", row) for reason in row["reasons"]]
        told += [(edit["rule"], "changed", row) for edit in row["edits"] or ()]
    return told


def _place(row: Mapping[str, Any]) -> tuple[str, int]:
    return row["source_file"], row["source_row"]


def _with_survivors(run: Path, chosen: Sequence[tuple[str, str, dict[str, Any]]]) -> list[Mapping[str, Any]]:
    """Return the ledger's lines of the chosen rows and of the rows that they are said to repeat."""
    rows: dict[tuple[str, int], Mapping[str, Any]] = {_place(row): row for _, _, row in chosen}
    wanted = sorted({row["duplicate_of"] for _, _, row in chosen if row["duplicate_of"]})
    same = ledger(run).filter(pl.col("id").is_in(wanted)).unique("id", keep="first", maintain_order=True).collect()
    for row in same.iter_rows(named=True):
        rows.setdefault(_place(row), row)
    return list(rows.values())


def _references(run: Path) -> dict[str, list[str]]:
    """Return the beginning of every reference that a row was found to hold, by its id."""
    files = sorted((run / "run" / "work" / "reference").glob("*.parquet"))
    found = (pl.read_parquet(file, columns=["reference_id", "reference_text"], glob=False) for file in files)
    return {given: [text] for frame in found for given, text in frame.iter_rows()}


def _line(name: str, what: str, found: Replayed, repeated: list[str] | None) -> dict[str, Any]:
    row = found.row
    line: dict[str, Any] = {"rule": name, "what": what, "clean_id": row["id"]}
    line |= {"source_file": row["source_file"], "source_row": row["source_row"], "clean_reasons": row["reasons"]}
    line["text"] = [text[:LONGEST] for text in found.before]
    steps = [step for step in found.steps if step.rule == name]
    line["changes"] = [{"before": s.before[:LONGEST], "after": s.after[:LONGEST]} for s in steps]
    line["entries"] = [entry for rule, entry in found.hits if rule == name]
    if row["duplicate_of"]:
        line["duplicate_of"], line["similarity"] = row["duplicate_of"], row["similarity"]
        line["duplicate_text"] = [text[:LONGEST] for text in repeated] if repeated else None
    return line | COLUMNS
