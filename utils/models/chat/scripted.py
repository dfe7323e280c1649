"""Replies from a script, kept like paid ones: a run that is killed and resumed goes on in the script where it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from utils.models.chat.cache import AnswerCache, model_directory, request_hash
from utils.models.chat.protocol import Answer, Request

if TYPE_CHECKING:
    from utils.models.chat.config import ScriptedConfig


class Scripted:
    """A script, and how far it has been used."""

    def __init__(self, config: ScriptedConfig, cache: AnswerCache) -> None:
        self._config = config
        self._cache = cache

    def ask(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer each request by the next reply; one that was answered before gets the same again."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Answer:
        key = request_hash(request)
        if (known := self._cache.get(key)) is not None:
            return known
        place = len(self._cache)
        if place >= len(self._config.replies):
            return Answer(error=f"the script has only {place} replies")
        answer = self._reply(place, request)
        self._cache.put(key, answer)
        return answer

    def _reply(self, place: int, request: Request) -> Answer:
        listed = self._config.first_tokens
        return Answer(
            text=self._config.replies[place],
            finish_reason="stop",
            first_token=listed[place] if request.sampling.top_logprobs and place < len(listed) else None,
            model="scripted",
        )


@contextmanager
def open_scripted(config: ScriptedConfig, run_directory: Path) -> Iterator[Scripted]:
    """Open a script for a run, where its place is kept."""
    identity = {"model": "scripted", "replies": config.replies, "first_tokens": config.first_tokens}
    yield Scripted(config, AnswerCache(model_directory(run_directory, identity)))
