"""Tiers as files: rows go part by part from the records on disk into Parquet and JSONL, so few are held at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from data_pipeline.tier.rows import part_path
from utils.data.records import RECORD_SCHEMA, read_parquet

if TYPE_CHECKING:
    from pathlib import Path

    from utils.runs.commit import Unit

Turns = Sequence[Mapping[str, str]]
Row = dict[str, Any]

_GROUP_ROWS = 8192
_SPEAKERS = {"user": "human", "assistant": "gpt", "system": "system"}


def write_targets(
    unit: Unit, columns: pl.DataFrame, targets: Mapping[str, pl.Series], formats: Sequence[str]
) -> dict[str, int]:
    """Write `<target>.parquet` for every target, tiers and controls also as JSONL.

    Chat rows lie beside the Parquet, other formats below `formats/<format>/`, out of the way of readers of the run.

    Args:
        unit: what the files belong to.
        columns: every row, with its `part`.
        targets: by name (`tiers/easy`, `held_out` …) which rows are in it, bool [rows].
        formats: of the JSONL.

    Returns:
        How many rows each file in a format could not hold, where there are any.

    """
    with ExitStack() as stack:
        files = {name: _Target(unit, name, formats, stack) for name in targets}
        start = 0
        for number, length in columns.group_by("part", maintain_order=True).len().iter_rows():
            table = read_parquet(part_path(unit.root, number))
            for name, inside in targets.items():
                files[name].add(table.filter(pa.array(inside.slice(start, length).to_list(), pa.bool_())))
            start += length
        for file in files.values():
            file.close()
    return {name: misfits for file in files.values() for name, misfits in file.misfits.items() if misfits}


class _Target:
    """The files of one target, written as its rows come."""

    def __init__(self, unit: Unit, name: str, formats: Sequence[str], stack: ExitStack) -> None:
        self._writer = pq.ParquetWriter(
            stack.enter_context(unit.file(f"{name}.parquet")),
            RECORD_SCHEMA,
            compression="zstd",
            write_page_checksum=True,
        )
        stack.callback(self._writer.close)
        self._waiting: list[pa.Table] = []
        self._jsonl: dict[str, tuple[BinaryIO, Callable[[Turns], Row | None]]] = {}
        self.misfits: dict[str, int] = {}
        for kind in formats if name.startswith(("tiers/", "controls/")) else ():
            path = f"{name}.jsonl" if kind == "chat" else f"formats/{kind}/{name}.jsonl"
            temporary: Path = stack.enter_context(unit.file(path))
            self._jsonl[path] = (stack.enter_context(temporary.open("wb")), WRITERS[kind])
            self.misfits[path] = 0

    def add(self, table: pa.Table) -> None:
        """Write more rows."""
        self._waiting.append(table)
        if sum(one.num_rows for one in self._waiting) >= _GROUP_ROWS:
            self._flush()
        if not self._jsonl:
            return
        for row in table.select(["id", "messages"]).to_pylist():
            for path, (file, form) in self._jsonl.items():
                if (shaped := form(row["messages"])) is None:
                    self.misfits[path] += 1
                else:
                    file.write(orjson.dumps({**shaped, "clean_id": row["id"]}) + b"\n")

    def close(self) -> None:
        """Finish the files."""
        self._flush()
        self._writer.close()
        for file, _ in self._jsonl.values():
            file.close()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting))
            self._waiting.clear()


def chat(turns: Turns) -> Row:
    """Return `{messages}`."""
    return {"messages": list(turns)}


def sharegpt(turns: Turns) -> Row | None:
    """Return `{conversations}`; None for a document."""
    if any(turn["role"] not in _SPEAKERS for turn in turns):
        return None
    return {"conversations": [{"from": _SPEAKERS[turn["role"]], "value": turn["content"]} for turn in turns]}


def data(turns: Turns) -> Row | None:
    """Return `{data: [question, answer, …]}`; None unless questions and answers take turns."""
    roles = [turn["role"] for turn in turns]
    if not roles or roles != ["user", "assistant"] * (len(roles) // 2):
        return None
    return {"data": [turn["content"] for turn in turns]}


def _question_and_answer(question: str, empty: str | None, answer: str) -> Callable[[Turns], Row | None]:
    """Return the writer of one question and its answer under these keys; None for any other conversation."""

    def shaped(turns: Turns) -> Row | None:
        if [turn["role"] for turn in turns] != ["user", "assistant"]:
            return None
        middle = {} if empty is None else {empty: ""}
        return {question: turns[0]["content"], **middle, answer: turns[1]["content"]}

    return shaped


def seed_task(turns: Turns) -> Row | None:
    """Return `{instruction, instances}` of one question and its answer, to seed `posttrain self-instruct`."""
    if [turn["role"] for turn in turns] != ["user", "assistant"]:
        return None
    return {"instruction": turns[0]["content"], "instances": [{"input": "", "output": turns[1]["content"]}]}


def document(turns: Turns) -> Row | None:
    """Return `{text}` of a document."""
    return {"text": turns[0]["content"]} if [turn["role"] for turn in turns] == ["document"] else None


WRITERS: dict[str, Callable[[Turns], Row | None]] = {
    "chat": chat,
    "alpaca": _question_and_answer("instruction", "input", "output"),
    "sharegpt": sharegpt,
    "data_list": data,
    "dolly": _question_and_answer("instruction", "context", "response"),
    "prompt_completion": _question_and_answer("prompt", None, "completion"),
    "seed_task": seed_task,
    "document": document,
}
