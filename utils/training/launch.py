"""How many processes train together, and what that makes of a batch."""

from __future__ import annotations

import math
import os

from utils.training.config import TrainingConfig


def world_size() -> int:
    """Count the processes of this training run, as torchrun says."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rows_per_step(config: TrainingConfig) -> int:
    """Count the rows of one optimizer step, over all processes."""
    return config.batch_size * config.gradient_accumulation * world_size()


def steps(config: TrainingConfig, rows: int) -> int:
    """Count the optimizer steps, as the trainer does: the last step of an epoch may be a short one."""
    return config.max_steps or math.ceil(math.ceil(rows / rows_per_step(config)) * config.epochs)
