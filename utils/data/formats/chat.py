"""Chat: `{"messages": [{role, content}, …]}`; the last turn may be the user's."""

from __future__ import annotations

from utils.data.formats.base import Format, Row, Text, spoken


def _matches(row: Row) -> bool:
    return "messages" in row


def _texts(row: Row) -> list[Text]:
    return spoken(row, ("messages",))


FORMAT = Format("chat", _matches, _texts)
