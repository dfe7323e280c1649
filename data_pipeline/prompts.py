"""What a record asks, and the answer that it brings along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from utils.data.records import Message, Record


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question for a model.

    Args:
        id: of the record.
        source: of the record.
        lang: of the record.
        messages: ends with the user's turn.
        reference: the record's own last answer; None when it has none.
        meta: of the record.

    """

    id: str
    source: str
    lang: str
    messages: tuple[Message, ...]
    reference: str | None
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def question(self) -> str:
        """The text of the last turn."""
        return self.messages[-1].content


def prompt_of(record: Record) -> Prompt | None:
    """Return what a record asks, or None when nobody asks anything in it.

    A conversation is cut before its last answer, which becomes the reference. A lone document is a question: that is
    what a table read by its `text_field` gives.
    """
    messages, reference = record.messages, None
    if messages and messages[-1].role == "assistant":
        reference = messages[-1].content if messages[-1].content.strip() else None
        messages = messages[:-1]
    if len(messages) == 1 and messages[0].role == "document":
        messages = (Message("user", messages[0].content),)
    if not messages or messages[-1].role != "user" or not messages[-1].content.strip():
        return None
    return Prompt(record.id, record.source, record.lang, messages, reference, record.meta)


def fold_blanks(text: str) -> str:
    """Return the text with every run of blanks as one space, none at the ends."""
    return " ".join(text.split())


def content_of(prompts: Sequence[Prompt]) -> list[list[Any]]:
    """Return what decides the answers to these prompts, JSON-able, for the name of their batch."""
    return [[p.id, [[m.role, m.content] for m in p.messages], p.reference] for p in prompts]
