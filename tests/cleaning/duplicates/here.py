"""The search for duplicates in this process: pass 1, every step, and the decisions that pass 2 would write."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

import posttrain_root
from cleaning.config import CleanConfig
from cleaning.duplicates.reference import load_references
from cleaning.duplicates.run import find_duplicates
from cleaning.first_pass import first_pass
from cleaning.run import _order, _plan, _shared
from cleaning.second_pass import decisions
from cleaning.tasks import tasks_for
from utils.runs.commit import Unit, committed

# Every pair at Jaccard 0.5 or more shares one of 64 bands of two, but for one in 10^8: results can be compared exactly.
CERTAIN = {"bands": 64, "rows": 2}


class Here:
    """What the search needs of a run, without one."""

    def __init__(self, path: Path, order: Callable[[list[Any]], Iterable[Any]] = list) -> None:
        self.path, self._order = path, order
        self.done: list[str] = []

    def unit(self, name: str) -> Unit:
        return Unit(self.path, name, "test0000")

    def committed(self, name: str) -> dict[str, Any] | None:
        return committed(self.path, name)

    def map(self, job: str, tasks: Sequence[dict[str, Any]], what: str) -> list[dict[str, Any]]:
        for task in self._order(list(tasks)):
            if self.committed(task["unit"]) is None:
                posttrain_root.call(job, {**task, "root": str(self.path), "token": "test0000"})
                self.done.append(task["unit"])
        return [report for task in tasks if (report := self.committed(task["unit"]))]


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def documents(path: Path, texts: Iterable[str]) -> Path:
    return write_rows(path, ({"text": text} for text in texts))


def search(
    source: Path | list[Path], output: Path, duplicates: dict[str, Any], *, here: Here | None = None, **more: Any
) -> pl.DataFrame:
    """Return the decisions of all rows, by (source_file, source_row)."""
    config = CleanConfig.model_validate(
        {"input": source, "output": output, "policy": [], "duplicates": duplicates, **more}
    )
    run: Any = here or Here(output)
    plan = _plan(config)
    tasks = [task for file, found in plan.items() for task in tasks_for(found, _shared(config, file, found))]
    tasks = [{**task, "root": str(output), "token": "test0000"} for task in sorted(tasks, key=_order)]
    if config.duplicates.reference is not None:
        load_references(run, config.duplicates.reference)
    rows = [(run.committed(task["unit"]) or first_pass(task))["rows"] for task in tasks]
    find_duplicates(run, config.duplicates, tasks, rows)
    frames = [decisions(task).with_columns(source_file=pl.lit(task["partition"]["relative"])) for task in tasks]
    return pl.concat(frames)


def shingles(text: str, size: int = 5) -> set[str]:
    return {text[start : start + size] for start in range(len(text) - size + 1)}


def jaccard(one: str, other: str) -> float:
    left, right = shingles(one), shingles(other)
    return len(left & right) / max(1, len(left | right))
