"""Comparisons: `{user_input, completion_a, completion_b}`, where `completion_a` is the one ranked higher."""

from __future__ import annotations

from utils.data.formats.base import Format, Messages, Row, Text, Turn, as_messages, one_each, text_at

_KEYS = ("user_input", "completion_a", "completion_b")


def _matches(row: Row) -> bool:
    return all(key in row for key in _KEYS)


def _texts(row: Row) -> list[Text]:
    return [((key,), "user" if key == "user_input" else "assistant", text_at(row, (key,))) for key in _KEYS]


def _turns(texts: list[Text]) -> list[Turn]:
    """Return the prompt and the better answer."""
    return one_each(texts[:2])


def _preference(row: Row) -> tuple[Messages, Messages, Messages]:
    prompt, chosen, rejected = as_messages(_texts(row))
    return (prompt,), (chosen,), (rejected,)


FORMAT = Format("comparison", _matches, _texts, _turns, _preference)
