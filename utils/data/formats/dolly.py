"""Dolly: `{instruction, context, response, category}`; `context` may be empty, null or absent."""

from __future__ import annotations

from utils.data.formats.base import Format, Row, Text, instructed, question_and_answer


def _matches(row: Row) -> bool:
    return "instruction" in row and "response" in row


def _texts(row: Row) -> list[Text]:
    return instructed(row, "instruction", "context", "response")


FORMAT = Format("dolly", _matches, _texts, question_and_answer)
