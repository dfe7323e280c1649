"""What a judge says of one answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Candidate = dict[str, Any]  # a row of candidates.parquet


@dataclass(frozen=True, slots=True)
class Verdict:
    """A score, or the reason why there is none; never a default.

    Args:
        score: higher is better; None when the judge failed.
        detail: for an invalid verdict the reason, else whatever explains the score.

    """

    score: float | None
    detail: str = ""

    def __post_init__(self) -> None:
        """Hold that a verdict without a score says why, and that a score is a number."""
        if self.score is None and not self.detail:
            raise ValueError("an invalid verdict has a reason")
        if self.score is not None and not math.isfinite(self.score):
            raise ValueError(f"{self.score} is no score")

    @property
    def valid(self) -> bool:
        """Whether there is a score."""
        return self.score is not None


class Judge(Protocol):
    """An opened judge."""

    def judge(self, candidates: Sequence[Candidate]) -> list[Verdict]:
        """Return a verdict for every candidate, in their order."""
