"""A pretraining document: `{"content"}` or `{"text"}`, with `title` and anything else beside it."""

from __future__ import annotations

from utils.data.formats.base import Format, Row, RowError, Text, text_at

_KEYS = ("content", "text")


def _matches(row: Row) -> bool:
    return any(key in row for key in _KEYS)


def _texts(row: Row) -> list[Text]:
    content, text = "content" in row, "text" in row
    if content == text:
        raise RowError("both content and text in the row" if text else "neither content nor text in the row")
    path = ("text" if text else "content",)
    return [(path, "document", text_at(row, path))]


FORMAT = Format("document", _matches, _texts)
