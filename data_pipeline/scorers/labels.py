"""Labelled rows: any supported record format with a `label`, a number or the name of a class."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from data_pipeline.scorers.models import Task
from utils.data.formats import detect
from utils.data.inputs import find_files
from utils.data.partitions import plan_partitions
from utils.data.reading import read_partition
from utils.data.records import RECORD_SCHEMA, records_to_table
from utils.data.streaming import iter_records
from utils.errors import UserError

LEAST_ROWS = 50
_BLANKS = re.compile(r"\s+")


@dataclass(slots=True)
class Labelled:
    """Rows and their labels.

    Args:
        rows: `id, source, lang, messages`.
        task: `number`; `binary` for numbers that are all 0 or 1; `classes` for texts.
        classes: the sorted classes; empty for numbers.
        y: numbers, or the number of each row's class [rows].
        groups: equal where two rows ask the same; such rows are never on both sides of a fold [rows].

    """

    rows: pl.DataFrame
    task: Task
    classes: list[str]
    y: np.ndarray
    groups: np.ndarray


def read_labelled(path: Path) -> Labelled:
    """Read a file of labelled rows.

    Raises:
        UserError: no such file, a row without label or with one of another kind, fewer than 50 rows, one label only.

    """
    records = list(iter_records(path))
    labels = [_label(record.meta.get("label"), f"{path}, row {row + 1}") for row, record in enumerate(records)]
    if len(labels) < LEAST_ROWS:
        raise UserError(f"{len(labels)} labelled rows", where=str(path), mend=f"label {LEAST_ROWS} at least")
    if len({type(label) for label in labels}) > 1:
        raise UserError("some labels are numbers and some are texts", where=str(path), mend="make them of one kind")
    if len(set(labels)) < 2:
        raise UserError(f"every label is {labels[0]!r}", where=str(path), mend="two different ones are needed")
    rows = pl.DataFrame(pl.from_arrow(records_to_table(records).select(["id", "source", "lang", "messages"])))
    task, classes, y = _coded(labels)
    return Labelled(rows, task, classes, y, _groups(rows))


def described(labelled: Labelled, path: Path) -> dict[str, Any]:
    """Return rows, formats, languages and labels, for a card and `--dry-run`."""
    counts = Counter(labelled.classes[int(k)] for k in labelled.y) if labelled.classes else None
    if labelled.task == "binary":
        counts = Counter(str(int(k)) for k in labelled.y)
    return {
        "task": labelled.task,
        "rows": labelled.rows.height,
        "different_prompts": len(set(labelled.groups.tolist())),
        "formats": _formats(path),
        "languages": dict(sorted(Counter(labelled.rows["lang"]).items())),
        "labels": dict(sorted(counts.items()))
        if counts is not None
        else {"least": float(labelled.y.min()), "mean": float(labelled.y.mean()), "most": float(labelled.y.max())},
    }


def empty_rows() -> pl.DataFrame:
    """Return no rows, with the columns that features are taken of."""
    return pl.DataFrame(pl.from_arrow(RECORD_SCHEMA.empty_table().select(["id", "source", "lang", "messages"])))


def _label(value: Any, where: str) -> float | str:
    if value is None:
        raise UserError("no `label`", where=where, mend="give every row one: a number, or a text for classes")
    if isinstance(value, str):
        return value
    number = float(value)
    if not math.isfinite(number):
        raise UserError(f"the label {value} is no finite number", where=where)
    return number


def _coded(labels: list[Any]) -> tuple[Task, list[str], np.ndarray]:
    if isinstance(labels[0], str):
        classes = sorted(set(labels))
        number = {name: k for k, name in enumerate(classes)}
        return "classes", classes, np.array([number[label] for label in labels], dtype=np.int64)
    y = np.array(labels, dtype=np.float64)
    return ("binary", [], y.astype(np.int64)) if set(labels) <= {0.0, 1.0} else ("number", [], y)


def _groups(rows: pl.DataFrame) -> np.ndarray:
    asked = [
        _BLANKS.sub(" ", "\n".join(turn["content"] for turn in turns if turn["role"] != "assistant")).strip().casefold()
        for turns in rows["messages"].to_list()
    ]
    return np.unique(np.array(asked, dtype=object), return_inverse=True)[1]


def _formats(path: Path) -> list[str]:
    """Return the format of each file, by its first row."""
    found = set()
    for file in find_files(path):
        first = next((raw.row for part in plan_partitions(file) for raw in read_partition(part) if raw.row), None)
        if first is not None:
            own = set(RECORD_SCHEMA.names) <= first.keys()
            found.add("record" if own else detect(first, where=str(file.path)).name)
    return sorted(found)
