"""An answer somewhat below the mean is rejected: harder than the worst one (mean − 2σ, in later rounds mean − 1σ)."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, pstdev
from typing import Literal

from pydantic import Field

from data_pipeline.pairs.rules.best_worst import lowest
from data_pipeline.pairs.scored import Scored
from utils.runs.config import StrictModel


class MeanSigma(StrictModel):
    """The best answer against the one nearest below mean − sigma · σ; the lowest when none is below."""

    kind: Literal["mean_sigma"]
    sigma: float = Field(default=2.0, ge=0)
    """How many standard deviations (of the population) below the mean."""

    def reject(self, pool: Sequence[Scored], scores: Sequence[float]) -> Scored:
        """Return the rejected answer.

        Args:
            pool: answers that may be rejected, at least one.
            scores: of all valid answers to the prompt: their mean and deviation set the border.

        """
        border = fmean(scores) - self.sigma * pstdev(scores)
        below = [answer for answer in pool if answer.score <= border]
        return max(below, key=lambda answer: (answer.score, answer.candidate_id or "")) if below else lowest(pool)
