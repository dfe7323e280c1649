"""ShareGPT: `{"conversations": [{from, value}, …]}`."""

from __future__ import annotations

from utils.data.formats.base import Format, Row, Text, spoken


def _matches(row: Row) -> bool:
    return "conversations" in row


def _texts(row: Row) -> list[Text]:
    return spoken(row, ("conversations",), "from", "value")


FORMAT = Format("sharegpt", _matches, _texts)
