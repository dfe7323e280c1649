"""The config of one pairs run."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from data_pipeline.candidates.flags import FLAGS, Flag
from data_pipeline.pairs.rules import PairRule
from utils.runs.config import RunConfig


class PairsConfig(RunConfig):
    """`posttrain pairs`: judged answers become preference pairs, at most one per prompt."""

    candidates: Path
    """A candidates run, or its table."""
    judgements: Path
    """A judge run over these candidates, or its table."""
    rule: PairRule
    """Which answer is rejected; the best one is chosen."""
    minimum_gap: float = Field(default=0.0, ge=0)
    """Smallest difference of the two scores; equal scores never make a pair."""
    prefer_policy_rejected: bool = True
    """Reject an answer of the model in training where one fits."""
    include_reference_as_chosen: bool = False
    """Where no answer passes, the seed's own reference is chosen, with score 1."""
    passing_score: float = 1.0
    """The score from which an answer passes."""
    never_chosen: tuple[Flag, ...] = FLAGS
    """An answer with one of these flags is never chosen."""
    never_rejected: tuple[Flag, ...] = ("empty",)
    """An answer with one of these flags is never rejected: nothing is learnt from it."""
