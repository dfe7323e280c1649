"""The config of one DPO run."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from utils.training.config import TrainingConfig


class DpoConfig(TrainingConfig):
    """`posttrain dpo`: direct preference optimisation on pairs of a chosen and a rejected answer."""

    pairs: list[Path] = Field(min_length=1)
    """Preference files or directories."""

    eval: Path | None = None
    """Held-out pairs: their loss and accuracy are logged every `save_steps`."""

    reference: Path | None = None
    """The model that the policy is held close to; by default the start model."""

    beta: float = Field(default=0.1, gt=0)
    """How strongly the policy is held to the reference."""

    loss: Literal["sigmoid", "robust"] = "sigmoid"
    """`sigmoid`: −log σ(β · margin), the loss of the DPO paper. `robust`: the same, unbiased under flipped pairs."""

    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    """With `robust`: the share of pairs that are taken to be the wrong way round."""

    learning_rate: float = Field(default=5e-7, gt=0)
    """Peak learning rate, reached after the warm-up."""

    @model_validator(mode="after")
    def _smoothing_has_an_effect(self) -> DpoConfig:
        if self.label_smoothing and self.loss != "robust":
            raise ValueError(f"label_smoothing={self.label_smoothing} has no effect with loss: {self.loss}; use robust")
        return self
