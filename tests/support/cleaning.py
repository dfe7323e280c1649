"""Texts and rows through rules, as a run would put them through; and whole runs without workers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import cli
import posttrain_root
from cleaning.batch import Batch, apply_policy, read_texts
from cleaning.policy import rule_from
from utils.data.formats import format_named
from utils.data.reading import RawRow
from utils.execution.executor import Done
from utils.runs.directory import Run

Given = str | dict[str, Any]


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """Write rows as JSONL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSONL file."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def work_here(patch: pytest.MonkeyPatch) -> None:
    """Have every task of a run done in this process: the same bytes, without the start of workers."""

    def execute(run: Run, jobs: Sequence[str], tasks: list[dict[str, Any]]) -> Iterator[Done]:
        done = run.execution.get("tasks", 0)
        run.execution = {"executor": "here", "workers": ["here"], "tasks": done + len(tasks)}
        yield from (Done(task, posttrain_root.call(jobs[0], task)) for task in tasks)

    patch.setattr(Run, "_execute", execute)


def clean_here(source: Path | str, output: Path, *settings: str, code: int = 0) -> dict[str, Any]:
    """Run `posttrain clean`, every task in this process; return its manifest."""
    words = [f"input={source}", f"output={output}", "executor=local", *settings]
    with pytest.MonkeyPatch.context() as patch:
        work_here(patch)
        assert cli.main(["clean", "--quiet", *(word for one in words for word in ("--set", one))]) == code
    return json.loads((output / "manifest.json").read_text()) if (output / "manifest.json").exists() else {}


def batch_of(rows: list[dict[str, Any]], fmt: str, *rules: Given) -> Batch:
    """Return rows of a format after rules, given by name or as parameters."""
    raws = [RawRow(number, 0, b"{}", row, None) for number, row in enumerate(rows)]
    chosen = [rule_from({"rule": rule} if isinstance(rule, str) else rule) for rule in rules]
    return apply_policy(read_texts(raws, format_named(fmt)), chosen)


def clean_all(texts: list[str], *rules: Given) -> list[str]:
    """Return documents after rules."""
    cleaned: list[str] = batch_of([{"text": text} for text in texts], "document", *rules).texts["text"].to_list()
    return cleaned


def clean(text: str, *rules: Given) -> str:
    """Return one document after rules."""
    return clean_all([text], *rules)[0]


def measured(text: str, rule: Given) -> tuple[float, bool]:
    """Return a document's number under a measuring rule, and whether it is dropped."""
    values = batch_of([{"text": text}], "document", rule).values
    return values["value"][0], values["drop"][0]
