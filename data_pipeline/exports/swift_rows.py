"""The shapes of rows that ms-swift reads, as messages or as a pair (its docs, "Custom dataset")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from utils.data.formats import RowError, format_named
from utils.data.records import Message

_ELSEWHERE = ("images", "videos", "audios", "tools", "objects", "label", "rejected_messages")


def swift_messages(row: Mapping[str, Any]) -> tuple[Message, ...]:
    """Return the conversation of a row, without its `rejected_response`.

    Read are `messages`, `conversation` ({human, assistant} per round), `query`/`response`/`history`, and alpaca.
    A lone assistant's turn is a document, as ms-swift has it for pre-training.

    Raises:
        RowError: another shape, or a key whose content would be lost.

    """
    if other := [key for key in _ELSEWHERE if row.get(key)]:
        raise RowError(f"{other[0]} has no counterpart here")
    if "messages" in row:
        messages = format_named("chat").messages(dict(row))
        if [message.role for message in messages] == ["assistant"]:
            return (Message("document", messages[0].content),)
        return messages
    if "conversation" in row:
        turns = [Message(role, _text(round_, key)) for round_ in _rounds(row) for key, role in _ROUND]
    elif "query" in row:
        turns = [*_history(row), Message("user", _text(row, "query")), Message("assistant", _text(row, "response"))]
    elif "instruction" in row and "output" in row:
        turns = list(format_named("alpaca").messages(dict(row)))
    else:
        raise RowError(f"no messages, conversation, query or instruction: the keys are {', '.join(map(str, row))}")
    system = row.get("system") or ""
    if not isinstance(system, str):
        raise RowError("system is no text")
    return (*([Message("system", system)] if system else []), *turns)


def swift_rejected(row: Mapping[str, Any]) -> str | None:
    """Return the worse answer, for a pair; None for other rows."""
    value = row.get("rejected_response")
    if value is not None and not isinstance(value, str):
        raise RowError("rejected_response is no text")
    return value


_ROUND = (("human", "user"), ("assistant", "assistant"))


def _rounds(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rounds = row["conversation"]
    if not isinstance(rounds, list) or not rounds or not all(isinstance(one, Mapping) for one in rounds):
        raise RowError("conversation is no list of rounds")
    return rounds


def _history(row: Mapping[str, Any]) -> list[Message]:
    found: list[Message] = []
    for turn in row.get("history") or []:
        if not (isinstance(turn, list) and len(turn) == 2 and all(isinstance(text, str) for text in turn)):
            raise RowError("history is no list of [question, answer]")
        found += [Message("user", turn[0]), Message("assistant", turn[1])]
    return found


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise RowError(f"{key} is {'absent' if value is None else type(value).__name__}, not a text")
    return value
