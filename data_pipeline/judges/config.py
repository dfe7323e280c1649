"""The config of one judge run."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from data_pipeline.judges.kinds import JudgeKind
from utils.runs.config import RunConfig


class JudgeConfig(RunConfig):
    """`posttrain judge`: a judge scores the answers."""

    candidates: Path
    """A candidates run, or its table."""
    judge: JudgeKind
    """Who judges."""
    batch_size: int = Field(default=4096, ge=1)
    """Answers per committed batch."""
    quarantine_limit: float = Field(default=0.01, ge=0, le=1)
    """Share of answers without a valid score from which the run ends with exit code 3."""
