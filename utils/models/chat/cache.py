"""Answers on disk, written before anybody sees them: each is paid once, over crashes and between processes (F18).

The file is the cache and the cost ledger in one, a JSON line per paid answer, so that neither can lack what the other
has. A retry of a malformed answer is another request: change its seed or its messages, or the same answer comes back.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import time
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import orjson

from utils.data.parsing import repair_text
from utils.models.chat.locked import locked
from utils.models.chat.protocol import Answer, Request
from utils.runs.commit import refuse_full_disk, replace_json

_ANSWER = {field.name for field in fields(Answer)} - {"cached"}


def request_hash(request: Request) -> str:
    """Return 32 hex digits: BLAKE2b-128 of the request's messages, sampling and schema as canonical JSON."""
    content = {
        "messages": [[message.role, repair_text(message.content)] for message in request.messages],
        "sampling": asdict(request.sampling),
        "schema": request.schema,
    }
    return hashlib.blake2b(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def model_directory(run_directory: Path, identity: dict[str, Any]) -> Path:
    """Return (and make) the directory of one model's answers and shared limits in a run.

    Args:
        run_directory: of the run.
        identity: all that makes it another model; at least `model`, a name for people.

    """
    digest = hashlib.blake2b(orjson.dumps(identity, option=orjson.OPT_SORT_KEYS), digest_size=4).hexdigest()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", str(identity["model"]))[-64:].strip("-.") or "model"
    directory = run_directory / "run" / "chat" / f"{name}-{digest}"
    if not (directory / "model.json").is_file():
        replace_json(directory / "model.json", identity)
    return directory


class AnswerCache:
    """The answers of one model in one run, by `request_hash`.

    `spent` is the cost of all that was read so far, `damaged` counts lines that a kill cut.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "answers.jsonl"
        self._places: dict[str, tuple[int, int]] = {}
        self._read_to = 0
        self.spent = 0.0
        self.damaged = 0
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch(mode=0o600)
        self.refresh()

    def __len__(self) -> int:
        """Return the number of answers."""
        return len(self._places)

    def get(self, key: str) -> Answer | None:
        """Return a paid answer, marked as cached; None when there is none."""
        if key not in self._places:
            return None
        start, length = self._places[key]
        with self._path.open("rb") as stream:
            line = orjson.loads(os.pread(stream.fileno(), length, start))
        return Answer(**{name: value for name, value in line.items() if name in _ANSWER}, cached=True)

    def put(self, key: str, answer: Answer, **facts: Any) -> None:
        """Write an answer, to the disk.

        Args:
            key: the request's hash.
            answer: what was paid.
            facts: what else the ledger keeps: `cost`, and whether it is `estimated`.

        Raises:
            RetryLaterError: the disk is full.

        """
        body = {name: value for name, value in asdict(answer).items() if name in _ANSWER}
        line = orjson.dumps({"request": key, **body, **facts, "time": round(time.time(), 3)}) + b"\n"
        with locked(self._path) as descriptor:
            end = os.fstat(descriptor).st_size
            if end and os.pread(descriptor, 1, end - 1) != b"\n":  # a kill cut the last line: it stays alone
                line = b"\n" + line
            try:
                _write_at(descriptor, line, end)
            except OSError as error:
                os.ftruncate(descriptor, end)
                refuse_full_disk(error, self._path)
                raise
            self._take_in(descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.fsync(descriptor)  # unlocked: those of many threads become one

    def refresh(self) -> None:
        """Take in what other processes have written."""
        with locked(self._path) as descriptor:
            self._take_in(descriptor)

    def _take_in(self, descriptor: int) -> None:
        """Read the new whole lines. The lock orders the threads of this process, too."""
        new = os.pread(descriptor, os.fstat(descriptor).st_size - self._read_to, self._read_to)
        for line in new[: new.rfind(b"\n") + 1].splitlines(keepends=True):
            try:
                self._count(orjson.loads(line), len(line))
            except (orjson.JSONDecodeError, KeyError, TypeError):
                self.damaged += line != b"\n"
            self._read_to += len(line)

    def _count(self, entry: dict[str, Any], length: int) -> None:
        key = entry["request"]
        self.spent += entry.get("cost") or 0.0
        self._places.setdefault(key, (self._read_to, length))


def _write_at(descriptor: int, line: bytes, place: int) -> None:
    """Write all of it, wherever the system cuts a write."""
    while line:
        written = os.pwrite(descriptor, line, place)
        line, place = line[written:], place + written
