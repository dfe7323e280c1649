"""The config of one SFT run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from utils.runs.config import StrictModel
from utils.training.config import TrainingConfig


class DataSource(StrictModel):
    """Rows to train on; in YAML also just the path."""

    path: Path
    """A file or a directory: records, chat, instructions or documents."""

    weight: float = Field(default=1.0, gt=0)
    """2 takes every row twice, 0.5 every second row on average, chosen by the row's id and the seed."""

    format: str | None = None
    """Name of the format, when its keys are ambiguous."""

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str | Path) else value


class SftConfig(TrainingConfig):
    """`posttrain sft`: supervised fine-tuning. Loss on the assistant's turns only; on documents, on every token."""

    data: list[DataSource] = Field(min_length=1)
    """What to train on."""

    eval: Path | None = None
    """Held-out rows: their loss is logged every `save_steps`."""

    learning_rate: float = Field(default=5e-6, gt=0)
    """Peak learning rate, reached after the warm-up."""

    over_length: Literal["drop", "keep"] = "drop"
    """A row longer than `max_length`: left out, so that the model learns to stop, or cut there and trained on."""
