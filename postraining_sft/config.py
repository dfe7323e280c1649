"""The config of one SFT run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from utils.runs.config import Name, StrictModel
from utils.runs.config_file import merged
from utils.training.config import TrainingConfig


class DataSource(StrictModel):
    """Rows to train on; in YAML also just the path."""

    path: Path
    """A file or a directory: records, chat, instructions or documents."""

    weight: float = Field(default=1.0, gt=0)
    """2 takes every row twice, 0.5 every second row on average, chosen by the row's id and the seed."""

    format: str | None = None
    """Name of the format, when its keys are ambiguous."""

    text_field: str | None = None
    """The column that is the text, for tables."""

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str | Path) else value


class Stage(StrictModel):
    """One of several trainings that continue one another, each with a schedule of its own."""

    name: Name
    """Names its folder below `stages/`."""
    data: list[DataSource] = Field(min_length=1)
    """What to train on in this stage."""
    epochs: float | None = Field(default=None, gt=0)
    """By default as in the run."""
    max_steps: int | None = Field(default=None, ge=1)
    """By default as in the run."""
    learning_rate: float | None = Field(default=None, gt=0)
    """By default as in the run."""


class SftConfig(TrainingConfig):
    """`posttrain sft`: supervised fine-tuning. Loss on the assistant's turns only; on documents, on every token."""

    # not how the keys were given, but the keys
    placement: ClassVar[frozenset[str]] = TrainingConfig.placement | {"gpu_profile", "profiles"}

    gpu_profile: Name | None = None
    """Which of the `profiles` is chosen."""

    profiles: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    """Keys for one kind of GPU or another, by name; those of the chosen one stand under this file's own."""

    data: list[DataSource] = Field(default_factory=list)
    """What to train on: conversations, documents, or both in one batch, with the loss of each reported apart."""

    stages: list[Stage] = Field(default_factory=list)
    """Instead of `data`: trainings one after another, with an evaluation after each."""

    eval: Path | None = None
    """Held-out rows: their loss is logged every `save_steps`."""

    learning_rate: float = Field(default=5e-6, gt=0)
    """Peak learning rate, reached after the warm-up."""

    train_on_inputs: bool = False
    """Loss on what the user says as well."""

    document_weight: float = Field(default=1.0, gt=0)
    """Weight of the loss of a document's tokens, where conversations weigh 1."""

    over_length: Literal["drop", "split", "keep"] = "drop"
    """A row longer than `max_length`: left out, so that the model learns to stop; split at turns into rows of whole
    turns (documents at any token); or cut there and trained on."""

    batching: Literal["packed", "by_length", "random"] = "by_length"
    """How rows come together: several rows in one sequence, kept apart in the attention; rows of like length; any."""

    samples: list[str] = Field(default_factory=list)
    """Prompts that the model answers at every evaluation, for the report."""

    @model_validator(mode="before")
    @classmethod
    def _over_profile(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("gpu_profile") is None:
            return data
        chosen, profiles = str(data["gpu_profile"]), data.get("profiles")
        entries = profiles.items() if isinstance(profiles, dict) else ()
        known = {name: keys for name, keys in entries if isinstance(keys, dict)}
        if chosen not in known:
            raise ValueError(f"no profile {chosen!r}; there are: {', '.join(known) or 'none here'}")
        return merged(known[chosen], data)

    @model_validator(mode="after")
    def _data_or_stages(self) -> SftConfig:
        if bool(self.data) == bool(self.stages):
            raise ValueError("give one of data and stages")
        names = [stage.name for stage in self.stages]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two stages are called {twice[0]!r}")
        return self
