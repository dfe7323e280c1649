"""Which answer is rejected. A new rule is one file and one line here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from data_pipeline.pairs.rules.best_worst import BestWorst
from data_pipeline.pairs.rules.mean_sigma import MeanSigma

PairRule = Annotated[
    BestWorst
    | MeanSigma,
    Field(discriminator="kind"),
]  # fmt: skip
"""Each has `reject(pool, scores) -> Scored`."""
