"""What a conversation must be like to survive in another trainer's form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from utils.data.records import Message, Preference

REASONS = {
    "document": "a document, not a conversation",
    "not_a_document": "a conversation, not a document",
    "no_turns": "no turns",
    "empty_system": "an empty system message: the trainer would put its default in that place",
    "system_inside": "a system message that is not the first",
    "not_alternating": "turns that do not alternate between user and assistant",
    "no_answer": "no answer at the end",
    "several_messages": "a side of several messages",
}


class LossyError(ValueError):
    """The form cannot carry this row without loss; the message is one of `REASONS`."""


def conversation(
    messages: Sequence[Message], *, ends: Literal["user", "assistant"]
) -> tuple[str | None, list[Message]]:
    """Return the system text and the turns: user, assistant, user … up to `ends`.

    Raises:
        LossyError: it is not of this form.

    """
    if not messages:
        raise LossyError("no_turns")
    if any(message.role == "document" for message in messages):
        raise LossyError("document")
    system = messages[0].content if messages[0].role == "system" else None
    turns = list(messages if system is None else messages[1:])
    if system is not None and not system:
        raise LossyError("empty_system")
    if any(turn.role == "system" for turn in turns):
        raise LossyError("system_inside")
    if any(turn.role != ("assistant" if at % 2 else "user") for at, turn in enumerate(turns)):
        raise LossyError("not_alternating")
    if not turns or turns[-1].role != ends:
        raise LossyError("no_answer" if ends == "assistant" else "not_alternating")
    return system, turns


def document(messages: Sequence[Message]) -> str:
    """Return the text of a lone document; raises `LossyError` for anything else."""
    if len(messages) != 1 or messages[0].role != "document":
        raise LossyError("not_a_document")
    return messages[0].content


def sides(pair: Preference) -> tuple[str, str]:
    """Return the chosen and the rejected text of a pair whose sides are one message each; else raises `LossyError`."""
    for side in (pair.chosen, pair.rejected):
        if len(side) != 1 or side[0].role != "assistant":
            raise LossyError("several_messages")
    return pair.chosen[0].content, pair.rejected[0].content
