"""One judged answer, as the rules see it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scored:
    """An answer with a valid score.

    Args:
        candidate_id: None for the seed's own reference.
        text: the answer.
        score: higher is better.
        model: who gave it; `reference` for the seed's own.
        policy: whether the model that the pairs will train gave it.
        flags: what is wrong with it.

    """

    candidate_id: str | None
    text: str
    score: float
    model: str = ""
    policy: bool = False
    flags: frozenset[str] = frozenset()
