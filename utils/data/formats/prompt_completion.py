"""`{prompt, completion}`: texts, or lists of messages."""

from __future__ import annotations

from utils.data.formats.base import Row, Text, simple, turns


def _matches(row: Row) -> bool:
    return "prompt" in row and "completion" in row


def _texts(row: Row) -> list[Text]:
    return turns(row, ("prompt",), "user") + turns(row, ("completion",), "assistant")


FORMAT = simple("prompt_completion", _matches, _texts)
