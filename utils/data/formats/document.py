"""A pretraining document: `{"content"}` or `{"text"}`, with `title` and anything else beside it."""

from __future__ import annotations

from utils.data.formats.base import Row, RowError, Text, simple, text_at

_KEYS = ("content", "text")


def _matches(row: Row) -> bool:
    return any(key in row for key in _KEYS)


def _texts(row: Row) -> list[Text]:
    present = [key for key in _KEYS if key in row]
    if len(present) != 1:
        raise RowError("both content and text in the row" if present else "neither content nor text in the row")
    return [((present[0],), "document", text_at(row, (present[0],)))]


FORMAT = simple("document", _matches, _texts)
