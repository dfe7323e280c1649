"""What a pool of answers gives for one question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from data_pipeline.prompts import Prompt


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, or the reason why there is none: exactly one of `text`, `error` and `missing` holds.

    Args:
        model: its name.
        sample: number of the answer among those of this model to this prompt, from 0.
        text: the answer.
        error: what went wrong; never an answer.
        missing: nobody tried: a file holds no answer of this model to this prompt.
        finish_reason: `stop`, `length`, or None when unknown.
        tokens: generated, or None when unknown.
        stored_key: the prompt's name in the file that held the answer.

    """

    model: str
    sample: int
    text: str | None = None
    error: str | None = None
    missing: bool = False
    finish_reason: str | None = None
    tokens: int | None = None
    stored_key: str | None = None


class Pool(Protocol):
    """An opened source of answers."""

    def answer(self, prompts: Sequence[Prompt], seed: int) -> list[list[Reply]]:
        """Return the replies of every prompt, in the prompts' order."""
