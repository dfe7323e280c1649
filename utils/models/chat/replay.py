"""Stored answers as a chat model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from utils.data.inputs import find_files
from utils.data.partitions import plan_partitions
from utils.data.reading import read_partition
from utils.errors import UserError
from utils.models.chat.cache import request_hash
from utils.models.chat.protocol import Answer, Request

if TYPE_CHECKING:
    from utils.models.chat.config import ReplayConfig

_WHOLE = 1 << 40  # bytes: one partition per file
_FACTS = {field.name for field in fields(Answer)} - {"text", "cached"}


class Replay:
    """Answers by the name of their request; a request that is not stored is an error, never another answer."""

    def __init__(self, config: ReplayConfig) -> None:
        self._by_prompt = config.key == "prompt"
        self._answers = _read(config)

    def ask(self, requests: Sequence[Request]) -> list[Answer]:
        """Look every request up."""
        return [self._answers.get(self._name(request), Answer(error="no stored answer")) for request in requests]

    def _name(self, request: Request) -> str:
        return request.messages[-1].content if self._by_prompt else request_hash(request)


def _read(config: ReplayConfig) -> dict[str, Answer]:
    key_field = config.key_field or config.key
    answers: dict[str, Answer] = {}
    for where, row in _rows(config, [key_field, config.text_field]):
        answer = _answer(row, config.text_field, where)
        name = str(row[key_field])
        if name in answers and answers[name] != answer:
            raise UserError(f"another answer to {name[:60]!r} stands before it", where=where, mend="keep one of them")
        answers[name] = answer
    return answers


def _answer(row: dict[str, Any], text_field: str, where: str) -> Answer:
    text = row[text_field]
    facts = {name: value for name, value in row.items() if name in _FACTS}
    if text is None and facts.get("error"):
        return Answer(**facts, cached=True)
    if not isinstance(text, str):
        raise UserError(f"the stored answer is no text but {type(text).__name__}", where=where)
    return Answer(**{**facts, "text": text, "error": None}, cached=True)


def _rows(config: ReplayConfig, wanted: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield place and content of the rows of a Parquet, JSON or JSONL file."""
    for file in find_files(config.file):
        for partition in plan_partitions(file, _WHOLE):
            for raw in read_partition(partition):
                where = f"{file.path}, row {raw.source_row + 1}"
                if raw.row is None:
                    raise UserError(str(raw.error), where=where, mend="delete the line")
                if missing := [name for name in wanted if name not in raw.row]:
                    has = ", ".join(raw.row)
                    raise UserError(f"no field {missing[0]!r}; it has {has}", where=where, mend="name the field")
                yield where, raw.row


@contextmanager
def open_replay(config: ReplayConfig) -> Iterator[Replay]:
    """Read the file."""
    yield Replay(config)
