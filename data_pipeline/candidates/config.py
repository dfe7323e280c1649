"""The config of one candidates run."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from data_pipeline.candidates.kinds import CandidateModel, Local
from utils.runs.config import RunConfig


class CandidatesConfig(RunConfig):
    """`posttrain candidates`: many models answer the seeds."""

    seeds: Path
    """Records whose questions are asked: seeds of a tier run, or rows in any format."""
    format: str | None = None
    """Name of the seeds' format, when their keys leave it open."""
    text_field: str | None = None
    """The column that is the question, when the seeds are a plain table."""
    limit: int | None = Field(default=None, ge=1)
    """At most this many seeds: a sample by the hash of their ids, whatever their order."""
    models: list[CandidateModel] = Field(min_length=1)
    """Who answers, one after another."""
    quarantine_limit: float = Field(default=0.01, ge=0, le=1)
    """Share of answers that may fail before the run ends with exit code 3."""

    @model_validator(mode="after")
    def _names_differ(self) -> CandidatesConfig:
        names = [model.name for model in self.models if isinstance(model, Local)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two models are called {twice[0]!r}")
        return self
