"""`posttrain import`: another trainer's files → `good/<dataset>.jsonl`, chat rows or pairs that carry their ids."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_pipeline.exports.config import ImportConfig
from data_pipeline.exports.dataset_info import Dataset, read_dataset_info
from data_pipeline.exports.swift_rows import swift_messages, swift_rejected
from utils.data.formats import RowError
from utils.data.inputs import InputFile, find_files
from utils.data.parsing import dump_row
from utils.data.partitions import plan_partitions
from utils.data.raw_rows import RawRow
from utils.data.reading import read_partition
from utils.data.records import Message, content_id, preference_id, to_dicts
from utils.data.streaming import source_name
from utils.runs.commit import check_name
from utils.runs.directory import Run

Row = dict[str, Any]
Messages = tuple[Message, ...]

_KEPT = ("source", "model", "model_name", "generator")  # what licences go by
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that go into one file: its name, where they lie, and how one of them is read."""

    name: str
    files: list[InputFile]
    convert: Callable[[Row], Row]


def inputs(config: ImportConfig) -> list[Path]:
    """Return what is read: the index and the files that it names."""
    files = [file.path for part in parts(config) for file in part.files]
    return [*([config.input] if config.kind == "llama-factory" else []), *dict.fromkeys(files)]


def dry_run(config: ImportConfig) -> dict[str, Any]:
    """Return the files of each dataset."""
    return {"datasets": {part.name: [str(file.path) for file in part.files] for part in parts(config)}}


def work(run: Run, config: ImportConfig) -> dict[str, Any]:
    """Write every dataset; rows that cannot be read go to `quarantine/`, with file, row and error."""
    totals = {"in": 0, "kept": 0, "dropped": 0, "quarantined": 0}
    for part in parts(config):
        run.stop.check()
        report = run.committed(f"import-{part.name}") or _import(run, part)
        for name in totals:
            totals[name] += report["counts"][name]
    return {**totals, "by_reason": {}}


def parts(config: ImportConfig) -> list[Part]:
    """Return the datasets of the input.

    Raises:
        UserError: nothing readable, or a name that no file can have.

    """
    if config.kind == "llama-factory":
        datasets = read_dataset_info(config.input, config.datasets)
        return [Part(_file_name(one.name), find_files(one.file), _converter(one)) for one in datasets]
    return [Part(_file_name(source_name(file)), [file], swift_row) for file in find_files(config.input)]


def _file_name(name: str) -> str:
    return check_name(name.replace("/", "-").replace(" ", "_"), where="the name of a dataset")


def _converter(dataset: Dataset) -> Callable[[Row], Row]:
    def convert(row: Row) -> Row:
        if dataset.ranking:
            return _pair_row(row, *dataset.pair(row))
        return _chat_row(row, dataset.messages(row))

    return convert


def swift_row(row: Row) -> Row:
    """Return one of ms-swift's rows in our form; raises `RowError`."""
    messages, rejected = swift_messages(row), swift_rejected(row)
    if rejected is None:
        return _chat_row(row, messages)
    if messages[-1].role != "assistant":
        raise RowError("rejected_response beside messages that do not end with an answer")
    return _pair_row(row, messages[:-1], messages[-1:], (Message("assistant", rejected),))


def _chat_row(row: Mapping[str, Any], messages: Messages) -> Row:
    """Return `{"messages"}`, or `{"text"}` of a document, with the id and what says where it came from."""
    if not any(message.content.strip() for message in messages):
        raise RowError("no text in the row")
    if [message.role for message in messages] == ["document"]:
        made: Row = {"text": messages[0].content}
    else:
        made = {"messages": to_dicts(messages)}
    return _with_id(row, made, content_id(messages))


def _pair_row(row: Mapping[str, Any], prompt: Messages, chosen: Messages, rejected: Messages) -> Row:
    made = {"prompt": to_dicts(prompt), "chosen": to_dicts(chosen), "rejected": to_dicts(rejected)}
    return _with_id(row, made, preference_id(prompt, chosen, rejected))


def _with_id(row: Mapping[str, Any], made: Row, found: str) -> Row:
    """Add the row's own `clean_id`, or else the hash of its content; its `source` and its model, when it names them."""
    given = row.get("clean_id")
    if given is not None and not (isinstance(given, str) and _ID.fullmatch(given)):
        raise RowError(f"clean_id is {str(given)[:40]!r}, not 32 hex digits")
    own = {key: row[key] for key in _KEPT if isinstance(row.get(key), str)}
    return {**made, "clean_id": given or found, **own}


def _import(run: Run, part: Part) -> Row:
    """Write one dataset and commit it."""
    counts = {"in": 0, "kept": 0, "dropped": 0, "quarantined": 0}
    with run.unit(f"import-{part.name}") as unit, ExitStack() as stack:
        good = stack.enter_context(stack.enter_context(unit.file(f"good/{part.name}.jsonl")).open("wb"))
        bad: list[Row] = []
        for file, raw in _rows(part.files):
            counts["in"] += 1
            try:
                if raw.row is None:
                    raise RowError(str(raw.error))
                good.write(dump_row(part.convert(raw.row)) + b"\n")
                counts["kept"] += 1
            except RowError as error:
                bad.append(_quarantined(file, raw, str(error)))
        stack.close()
        counts["quarantined"] = len(bad)
        if bad:
            with unit.file(f"quarantine/{part.name}.jsonl") as temporary:
                temporary.write_bytes(b"".join(dump_row(row) + b"\n" for row in bad))
        return unit.commit({"counts": counts})


def _rows(files: list[InputFile]) -> Iterator[tuple[InputFile, RawRow]]:
    for file in files:
        for partition in plan_partitions(file):
            for raw in read_partition(partition):
                yield file, raw


def _quarantined(file: InputFile, raw: RawRow, error: str) -> Row:
    return {
        "source_file": file.relative,
        "source_row": raw.source_row,
        "error": error,
        "raw_base64": base64.b64encode(raw.raw or dump_row(raw.row or {})).decode(),
    }
