"""`{"id", "data": [question, answer, question, answer, …]}`, optionally with `score`."""

from __future__ import annotations

from utils.data.formats.base import Format, Row, RowError, Text, alternating


def _matches(row: Row) -> bool:
    return "data" in row


def _texts(row: Row) -> list[Text]:
    found = alternating(row, ("data",))
    if len(found) % 2:
        raise RowError(f"data holds {len(found)} turns; every question needs its answer")
    return found


FORMAT = Format("data_list", _matches, _texts)
