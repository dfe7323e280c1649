"""What answers cost, and the budget that is not exceeded, over all processes of a host.

Before a call its largest cost is held. Two things are beyond our sight: an endpoint that bills more tokens than it was
allowed, and one that bills a call whose answer never arrived.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from utils.errors import RetryLaterError
from utils.models.chat.limiter import sleep
from utils.models.chat.locked import shared_state
from utils.runs.commit import read_json

if TYPE_CHECKING:
    from utils.models.chat.cache import AnswerCache
    from utils.models.chat.config import Prices
    from utils.models.chat.protocol import Answer, Request

_POLL_S = 0.05
_PER_MESSAGE, _PER_PROMPT = 8, 100  # tokens of a chat template: around a message, and its own system text
_SLACK = 1e-9  # of sums of floats


def prompt_tokens_at_most(request: Request) -> int:
    """Return more prompt tokens than any byte-level tokenizer makes: one per byte of UTF-8, and the template's."""
    texts = [message.content.encode("utf-8", "replace") for message in request.messages]
    return _PER_PROMPT + sum(len(text) + _PER_MESSAGE for text in texts)


def cost_at_most(prices: Prices, request: Request) -> float:
    """Return what the request costs when its answer is as long as allowed."""
    return _cost(prices, prompt_tokens_at_most(request), request.sampling.max_tokens)


def cost_of(prices: Prices, request: Request, answer: Answer) -> tuple[float, bool]:
    """Return an answer's cost, and whether it is estimated: the most it can be, where the endpoint tells no tokens."""
    if answer.prompt_tokens is None or answer.completion_tokens is None:
        return cost_at_most(prices, request), True
    return _cost(prices, answer.prompt_tokens, answer.completion_tokens), False


def cost_of_line(prices: Prices, line: Mapping[str, Any]) -> float:
    """Return what an answer cost that was paid before there were prices; 0 where its tokens are unknown."""
    return _cost(prices, line.get("prompt_tokens") or 0, line.get("completion_tokens") or 0)


def _cost(prices: Prices, prompt_tokens: int, completion_tokens: int) -> float:
    return (prompt_tokens * prices.prompt + completion_tokens * prices.completion) / 1e6


class Budget:
    """Money held for calls under way, so that spent and held together stay within the limit.

    Args:
        directory: where the processes share what is held.
        limit: in the currency of the prices; None for no limit.
        cache: knows what is spent.
        name: the endpoint, for the message.

    """

    def __init__(self, directory: Path, *, limit: float | None, cache: AnswerCache, name: str) -> None:
        self._state = directory / "held.json"
        self._limit = limit
        self._cache = cache
        self._name = name
        self._me = _identity() if limit is not None else {}

    @contextmanager
    def hold(self, amount: float, stop: threading.Event) -> Iterator[None]:
        """Hold an amount for one call; the answer must be in the cache before the end.

        Raises:
            RetryLaterError: what is spent and this amount are over the budget.

        """
        if self._limit is None:
            yield
            return
        while not self._held(amount, self._limit):
            sleep(_POLL_S, stop)  # calls under way may turn out cheaper
        try:
            yield
        finally:
            self._add(-amount)

    def _held(self, amount: float, limit: float) -> bool:
        self._cache.refresh()
        spent = self._cache.spent
        if spent + amount > limit + _SLACK:
            raise RetryLaterError(
                f"{spent:.4f} of the budget {limit:g} is spent, and the next answer may cost {amount:.4f}",
                where=self._name,
                mend="raise limits.budget, then the same command; what is answered is not paid again",
            )
        with shared_state(self._state) as state:
            self._cache.refresh()  # within the lock: a call that ended meanwhile counts as spent or as held
            for key in [key for key, entry in state.items() if not _alive(entry["who"])]:
                del state[key]
            held = sum(entry["amount"] for entry in state.values())
            if self._cache.spent + held + amount > limit + _SLACK:
                return False
            self._change(state, amount)
        return True

    def _add(self, amount: float) -> None:
        with shared_state(self._state) as state:
            self._change(state, amount)

    def _change(self, state: dict[str, Any], amount: float) -> None:
        entry = state.setdefault(str(self._me["pid"]), {"who": self._me, "amount": 0.0})
        entry["amount"] = max(0.0, entry["amount"] + amount)


def _identity() -> dict[str, Any]:
    import psutil

    from utils.runs.processes import identity

    return identity(psutil.Process(), "chat")


def _alive(who: dict[str, Any]) -> bool:
    from utils.runs.processes import provably_dead

    return not provably_dead(who)


def ledger(run_directory: Path) -> list[dict[str, Any]]:
    """Return what a run has paid, a row per model.

    Returns:
        `{"model", "answers", "prompt_tokens", "completion_tokens", "cost", "estimated"}`; `cost` is None where no
        prices were configured, `estimated` counts answers whose tokens the endpoint did not tell.

    """
    return [_paid(file) for file in sorted((run_directory / "run" / "chat").glob("*/answers.jsonl"))]


def _paid(file: Path) -> dict[str, Any]:
    row = {"model": read_json(file.parent / "model.json")["model"], "answers": 0, "prompt_tokens": 0}
    row |= {"completion_tokens": 0, "cost": None, "estimated": 0}
    for line in file.read_bytes().splitlines():
        try:
            entry = orjson.loads(line)
        except orjson.JSONDecodeError:  # cut by a kill
            continue
        row["answers"] += 1
        row["prompt_tokens"] += entry["prompt_tokens"] or 0
        row["completion_tokens"] += entry["completion_tokens"] or 0
        row["estimated"] += bool(entry.get("estimated"))
        if entry.get("cost") is not None:
            row["cost"] = (row["cost"] or 0.0) + entry["cost"]
    return row
