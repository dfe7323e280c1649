"""`{prompt, completion}`: texts, or lists of messages."""

from __future__ import annotations

from utils.data.formats.base import Format, Row, Text, turns


def _matches(row: Row) -> bool:
    return "prompt" in row and "completion" in row


def _texts(row: Row) -> list[Text]:
    return turns(row, ("prompt",), "user") + turns(row, ("completion",), "assistant")


FORMAT = Format("prompt_completion", _matches, _texts)
