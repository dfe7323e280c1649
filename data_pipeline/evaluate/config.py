"""The config of one evaluation."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from data_pipeline.verifiers import Verifier
from utils.runs.config import Name, RunConfig, StrictModel


class EvaluatedModel(StrictModel):
    """A model under a name."""

    name: Name
    """Under this name its numbers are shown."""
    path: Path
    """A Hugging Face model directory, or a finished sft or dpo run."""


class EvaluateConfig(RunConfig):
    """`posttrain evaluate`: models answer held-out tasks, and their answers are checked."""

    models: list[EvaluatedModel] = Field(min_length=1)
    """In the order of training: each is compared with the one before it."""
    tasks: Path
    """Held-out records whose last turn is the right answer."""
    format: str | None = None
    """Name of the tasks' format, when their keys leave it open."""
    verifier: Verifier
    """How an answer is checked."""
    max_new_tokens: int = Field(default=128, ge=1)
    """Limit per answer; answers are greedy."""
    limit: int | None = Field(default=None, ge=1)
    """At most this many tasks: a sample by the hash of their ids."""
    batch_size: int = Field(default=32, ge=1)
    """Tasks per committed batch and per forward pass."""
    quarantine_limit: float = Field(default=0.01, ge=0, le=1)
    """Share of tasks that a model may fail to take before the run ends with exit code 3."""

    @model_validator(mode="after")
    def _names_differ(self) -> EvaluateConfig:
        names = [model.name for model in self.models]
        if len(set(names)) < len(names):
            raise ValueError("two models have the same name")
        return self
