"""The lowest score is rejected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from data_pipeline.pairs.scored import Scored
from utils.runs.config import StrictModel


def lowest(pool: Sequence[Scored]) -> Scored:
    """Return the answer with the lowest score; between equals the content hash decides, never the length."""
    return min(pool, key=lambda answer: (answer.score, answer.candidate_id or ""))


class BestWorst(StrictModel):
    """Best against worst: the widest gap."""

    kind: Literal["best_worst"]

    def reject(self, pool: Sequence[Scored], scores: Sequence[float]) -> Scored:
        """Return the rejected answer.

        Args:
            pool: answers that may be rejected, at least one.
            scores: of all valid answers to the prompt.

        """
        return lowest(pool)
