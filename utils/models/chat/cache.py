"""Answers of a chat model, by their requests: the cache and the cost ledger in one, so that neither lacks the other's.

A retry of a malformed answer is another request: change its seed or its messages, or the same answer comes back.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import orjson

from utils.data.parsing import repair_text
from utils.models.chat.paid import PaidLog, Price
from utils.models.chat.protocol import Answer, Request
from utils.runs.commit import replace_json

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


class AnswerCache(PaidLog):
    """The answers of one model in one run, by `request_hash`."""

    def __init__(self, directory: Path, *, price: Price | None = None) -> None:
        super().__init__(directory / "answers.jsonl", price=price)

    def get(self, key: str) -> Answer | None:
        """Return a paid answer, marked as cached; None when there is none."""
        line = self.line(key)
        if line is None:
            return None
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
        self.write({key: {name: value for name, value in asdict(answer).items() if name in _ANSWER} | facts})
