"""`posttrain clean sample`, `posttrain clean review`: what people do with a finished run."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cleaning.replay import ledger, replay, rows_given_up
from utils.errors import UserError
from utils.runs.commit import read_json


def sample(argv: list[str]) -> int:
    """Draw rows for review from a finished run."""
    from cleaning.draw import draw

    parser = argparse.ArgumentParser(
        prog="posttrain clean sample",
        description="Draw rows that each rule dropped or changed, to be read and judged; JSONL on stdout.",
    )
    parser.add_argument("run", nargs="?", type=Path, help="a finished cleaning run; default: the newest below runs/")
    parser.add_argument("--per-rule", type=_positive, default=30, metavar="N")
    parser.add_argument("--rule", help="only this one")
    parser.add_argument("--seed", type=int, help="of the draw; default: the run's")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there instead; it may not exist yet")
    options = parser.parse_args(argv)
    run = options.run or newest(Path("runs"))
    lines = draw(run, options.per_rule, rule=options.rule, seed=options.seed)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    if options.output is None:
        sys.stdout.write(text)
    else:
        _write_new(options.output, text)
    if rows := rows_given_up(run):
        sys.stderr.write(f"{rows} rows in quarantine/ are not drawn from: no rule saw them, they were given up\n")
    return 0


def review(argv: list[str]) -> int:
    """Say how often each rule was right, from a filled sample."""
    from cleaning.review import as_tables, read_rows
    from cleaning.review import review as count

    parser = argparse.ArgumentParser(
        prog="posttrain clean review",
        description="Precision per rule and blacklist entry with 95 % Wilson intervals, from a filled sample: "
        "`review_verdict` is right, wrong or unsure.",
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--floor", type=float, default=0.5, help="suspend entries whose interval ends below")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")
    options = parser.parse_args(argv)
    found = count(read_rows(options.file), floor=options.floor, where=str(options.file))
    if not found.rules:
        mend = "write right, wrong or unsure into review_verdict"
        raise UserError("no line has a verdict", where=str(options.file), mend=mend)
    if options.json:
        told = {"rules_and_entries": as_tables(found), "suspend": found.suspend, "unreviewed": found.unreviewed}
        sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=2) + "\n")
        return 0
    for line in as_tables(found):
        share = "–" if line["precision"] is None else f"{line['precision']:.3f} [{line['low']:.3f}, {line['high']:.3f}]"
        sys.stdout.write(f"{line['kind']:<6} {line['name']:<32} n={line['n']:<5} {share:<24} {line['verdict']}\n")
    sys.stdout.write(f"{found.unreviewed} lines without a verdict\n")
    return 0


def difference(run: Path, row_id: str) -> Iterator[str]:
    """Give what each rule did to the rows with an id, as lines for a terminal; computed again from the input."""
    import polars as pl

    for found in replay(run, ledger(run).filter(pl.col("id") == row_id).collect().to_dicts()):
        yield f"{run}: {found.row['source_file']} row {found.row['source_row']}: {found.row['status']}"
        yield from (f"  hit {rule}: {what}" for rule, what in found.hits)
        if found.given_up:
            yield f"  no rule saw it: its partition was {found.given_up}"
        elif not found.steps:
            yield "  no rule changed it"
        for step in found.steps:
            yield f"  {step.rule} ({step.role})"
            yield from (f"    {line}" for line in _changes(step.before, step.after))


def newest(folder: Path) -> Path:
    """Return the cleaning run below a folder that finished last.

    Raises:
        UserError: there is none.

    """
    found: list[tuple[Any, Path]] = []
    for path in folder.rglob("manifest.json"):
        manifest = read_json(path)
        if isinstance(manifest, dict) and manifest.get("verb") == "clean":
            found.append((manifest.get("finished"), path.parent))
    if not found:
        raise UserError("no finished cleaning run there", where=str(folder), mend="name the run")
    return max(found)[1]


def _changes(before: str, after: str) -> Iterator[str]:
    """Give the lines that went (-) and those that came (+)."""
    lines = difflib.unified_diff(before.split("\n"), after.split("\n"), lineterm="", n=0)
    return (line for number, line in enumerate(lines) if number > 1 and not line.startswith("@@"))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", where=str(path)) from None
