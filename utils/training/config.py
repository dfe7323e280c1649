"""Keys that every training run has, SFT and DPO alike."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from utils.runs.config import RunConfig


class TrainingConfig(RunConfig):
    """How a model is trained, whatever the loss."""

    model: Path
    """The model to start from: a Hugging Face directory or one of our finished runs."""

    epochs: float = Field(default=1.0, gt=0)
    """Passes over the data; `max_steps` overrides it."""

    max_steps: int | None = Field(default=None, ge=1)
    """Optimizer steps in all, instead of epochs."""

    learning_rate: float = Field(gt=0)
    """Peak learning rate, reached after the warm-up."""

    scheduler: Literal["cosine", "linear", "constant", "constant_with_warmup"] = "cosine"
    """How the learning rate falls after the warm-up."""

    warmup_ratio: float = Field(default=0.0, ge=0, lt=1)
    """Share of all steps in which the learning rate rises from 0."""

    weight_decay: float = Field(default=0.0, ge=0)
    """AdamW weight decay, not applied to norms and biases."""

    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW moments."""

    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""

    batch_size: int = Field(default=8, ge=1)
    """Rows per process in one forward pass."""

    gradient_accumulation: int = Field(default=1, ge=1)
    """Forward passes per optimizer step."""

    max_length: int = Field(default=2048, ge=8)
    """Longest sequence in tokens."""

    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16 is mixed precision: weights stay fp32."""

    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, a third more time."""

    save_steps: int = Field(default=100, ge=1)
    """Steps between checkpoints; with `eval`, also between evaluations."""

    keep_checkpoints: int = Field(default=3, ge=2)
    """Newest checkpoints to keep. Two at least: a broken one must have one before it."""

    logging_steps: int = Field(default=1, ge=1)
    """Steps between lines of `metrics.jsonl`."""
