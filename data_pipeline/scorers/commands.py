"""`posttrain attributes fit` and `posttrain attributes score`: train a scorer on labelled rows, apply it to others."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from utils.errors import UserError
from utils.runs.commit import check_name, disk_full_is_retryable, publish, replace_json, sha256_file

_BATCH = 2048


def fit(argv: list[str]) -> int:
    """Carry out `posttrain attributes fit`."""
    parser = argparse.ArgumentParser(
        prog="posttrain attributes fit",
        description="Train a scorer on labelled rows: rows of any supported format with a `label`, a number or the "
        "name of a class. Labels 0 and 1 are classified; the score is the probability of 1.",
        allow_abbrev=False,
    )
    parser.add_argument("--labels", type=Path, required=True, metavar="FILE")
    parser.add_argument("--target", required=True, metavar="NAME", help="what the labels say, for example difficulty")
    parser.add_argument("--output", type=Path, metavar="DIR", help="the scorer's directory; nothing may be there")
    parser.add_argument("--embedding", default="offline", metavar="NAME|PATH", help="offline (default) or the "
                        "directory of a sentence-transformers model")  # fmt: skip
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--dry-run", action="store_true", help="read the labels, say what is there, write nothing")
    options = parser.parse_args(argv)
    check_name(options.target, where="--target")
    from data_pipeline.scorers.labels import described, read_labelled

    _one_file(options.labels, "--labels")
    labelled = read_labelled(options.labels)
    if options.dry_run:
        _say(described(labelled, options.labels))
        return 0
    if options.output is None:
        parser.error("the following arguments are required: --output")
    if options.output.exists() and (not options.output.is_dir() or any(options.output.iterdir())):
        raise UserError("something is there already", where=str(options.output), mend="give another --output")
    from data_pipeline.scorers.card import card_of
    from data_pipeline.scorers.fit import fit as train

    fitted = train(labelled, options.target, _embedding(options.embedding), options.seed)
    card = card_of(labelled, fitted, options.labels, options.seed)
    _write(fitted.scorer, card, options.output)
    _say({"output": str(options.output), **{key: card[key] for key in ("measures", "length_alone", "chosen")}})
    return 0


def score(argv: list[str]) -> int:
    """Carry out `posttrain attributes score`."""
    parser = argparse.ArgumentParser(
        prog="posttrain attributes score",
        description="Apply a scorer to rows. The table has `row` (place in the input, from 0), `id` and `score`; for "
        "classes `label` and its `probability`.",
        allow_abbrev=False,
    )
    parser.add_argument("--scorer", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--input", type=Path, required=True, metavar="FILE", help="a file, folder, glob or finished run"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.parquet")
    parser.add_argument("--format", help="the rows' format, when their keys leave it open")
    options = parser.parse_args(argv)
    from data_pipeline.scorers.scorer import load

    rows = _score(load(options.scorer), options.input, options.output, options.format)
    _say({"output": str(options.output), "rows": rows})
    return 0


def _score(scorer: Any, source: Path, output: Path, fmt: str | None) -> int:
    """Write the table, whole or not at all; return its rows."""
    import polars as pl

    from data_pipeline.attributes.base import as_table
    from data_pipeline.scorers.labels import empty_rows
    from utils.data.records import records_to_table, write_parquet
    from utils.data.streaming import iter_records

    records = iter_records(source, format=fmt)
    parts = [scorer.score(empty_rows())]
    while batch := list(itertools.islice(records, _BATCH)):
        table = records_to_table(batch).select(["id", "lang", "messages"])
        parts.append(scorer.score(pl.DataFrame(pl.from_arrow(table))))
    found = pl.concat(parts).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f"{output.name}.tmp.{os.getpid()}")
    try:
        with disk_full_is_retryable(output):
            write_parquet(as_table(found), temporary)
            digest = sha256_file(temporary)
            if not publish(temporary, output) and sha256_file(output) != digest:
                raise UserError("another file is there", where=str(output), mend="give another --output")
    finally:
        temporary.unlink(missing_ok=True)
    return found.height


def _write(scorer: Any, card: dict[str, Any], output: Path) -> None:
    """Write the scorer's directory, whole or not at all."""
    from data_pipeline.scorers.card import markdown
    from data_pipeline.scorers.scorer import save

    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f"{output.name}.tmp.{os.getpid()}")
    temporary.mkdir()
    try:
        with disk_full_is_retryable(output):
            save(scorer, temporary)
            replace_json(temporary / "card.json", card)
            (temporary / "card.md").write_text(markdown(card), encoding="utf-8")
            temporary.replace(output)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _embedding(given: str) -> str:
    """Return `offline`, or the absolute path of a model, so that the scorer finds it from any directory."""
    return given if given == "offline" else str(Path(given).resolve())


def _one_file(path: Path, where: str) -> None:
    if not path.is_file():
        raise UserError(f"no such file: {path}", where=where)


def _say(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
