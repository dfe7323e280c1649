"""Self-instruct seeds: `{id, name, instruction, instances: [{input, output}, …], is_classification}`."""

from __future__ import annotations

from utils.data.formats.base import Format, Row, Text, Turn, list_at, question_and_answer, text_at


def _matches(row: Row) -> bool:
    return "instruction" in row and "instances" in row


def _texts(row: Row) -> list[Text]:
    """Return the instruction and the texts of ALL instances, so that none stays uncleaned."""
    found: list[Text] = [(("instruction",), "user", text_at(row, ("instruction",)))]
    for i in range(len(list_at(row, ("instances",)))):
        for key, role in (("input", "user"), ("output", "assistant")):
            path = ("instances", i, key)
            found.append((path, role, text_at(row, path)))
    return found


def _turns(texts: list[Text]) -> list[Turn]:
    return question_and_answer(texts[:3])


FORMAT = Format("seed_task", _matches, _texts, _turns)
