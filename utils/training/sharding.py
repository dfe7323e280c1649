"""DeepSpeed: the training state sharded over the processes, by the JSON files in configs/deepspeed/.

DeepSpeed gets the optimizer and the schedule that every other run has, so that a run differs in where things lie only.
"auto" values come from the run's config; transformers fills them in.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import posttrain_root
from utils.errors import UserError
from utils.training.config import DeepSpeedKeys

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from utils.training.config import TrainingConfig

SHIPPED = posttrain_root.ROOT / "configs" / "deepspeed"


def shipped(keys: DeepSpeedKeys) -> Path:
    """Return the file that keys mean."""
    offload = "" if keys.offload == "none" else f"-offload-{keys.offload}"
    return keys.config or SHIPPED / f"zero-{keys.zero}{offload}.json"


def deepspeed_json(keys: DeepSpeedKeys, *, on_cpu: bool) -> dict[str, Any]:
    """Return what DeepSpeed is configured with.

    Args:
        keys: of the run's config.
        on_cpu: without GPUs nothing can overlap, and there is no memory to pin.

    Raises:
        UserError: the file is not a DeepSpeed configuration, or has an optimizer or a schedule of its own.

    """
    path = shipped(keys)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        zero = config.setdefault("zero_optimization", {})
        zero.setdefault("stage", 0)
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"no DeepSpeed configuration: {error}", where=str(path)) from error
    if zero["stage"] not in (0, 1, 2, 3):
        raise UserError(
            f"DeepSpeed has no ZeRO stage {zero['stage']}", where=str(path), mend="set stage to 0, 1, 2 or 3"
        )
    if own := sorted({"optimizer", "scheduler"} & config.keys()):
        mend = "take it out: learning_rate, betas, weight_decay and scheduler of the run's config say it"
        raise UserError(f"DeepSpeed would have its own {own[0]}", where=str(path), mend=mend)
    if on_cpu and zero["stage"]:
        zero["overlap_comm"] = False
        for part in ("offload_optimizer", "offload_param"):
            if part in zero:
                zero[part] = {**zero[part], "pin_memory": False}
    return dict(config)


def stage_of(config: TrainingConfig) -> int | None:
    """Return the ZeRO stage, None without DeepSpeed."""
    if config.deepspeed is None:
        return None
    return int(deepspeed_json(config.deepspeed, on_cpu=True)["zero_optimization"]["stage"])


def prepare_deepspeed() -> None:
    """Open the process group as DeepSpeed wants it. Call it before TrainingArguments, in every process.

    On a CPU without it, ZeRO-3 takes the world for one process and then fails on the batch size. A run of one process
    that nobody launched is a world of its own.
    """
    import torch
    from torch import distributed

    if not distributed.is_initialized() and "RANK" not in os.environ:
        # PartialState and DeepSpeed read these; the group itself needs no port
        alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
        os.environ.update(alone)
        backend = "nccl" if torch.cuda.is_available() else "gloo"
        distributed.init_process_group(backend, store=distributed.HashStore(), rank=0, world_size=1)
    import deepspeed
    from deepspeed.utils import logger

    # DeepSpeed calls torch by a name that it renamed, at every step
    warnings.filterwarnings(
        "ignore", message=".*is deprecated.*", category=FutureWarning, module=r"torch\.distributed.*"
    )
    logger.setLevel(logging.WARNING)
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(sys.stderr)  # stdout is for data
    deepspeed.init_distributed(dist_backend=None if torch.cuda.is_available() else "gloo")


@contextmanager
def whole_weights(args: TrainingArguments, *, needed: bool) -> Iterator[None]:
    """Have models loaded whole although ZeRO-3 is on, for work that needs every weight, such as new embeddings.

    Args:
        args: with a DeepSpeed configuration or without.
        needed: otherwise nothing changes: ZeRO-3 shards weights as they are read.

    """
    config = getattr(args, "hf_deepspeed_config", None)
    if config is None or not needed:
        yield
        return
    from transformers.integrations.deepspeed import set_hf_deepspeed_config, unset_hf_deepspeed_config

    unset_hf_deepspeed_config()
    try:
        yield
    finally:
        set_hf_deepspeed_config(config)


def forget() -> None:
    """Between two trainings of one process: drop what accelerate holds for the last one, so that it reads args anew."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state()
