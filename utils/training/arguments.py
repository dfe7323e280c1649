"""Our keys in the words of transformers' TrainingArguments, which TRL's SFTConfig and DPOConfig extend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from utils.training.config import TrainingConfig
from utils.training.launch import world_size


def training_arguments(config: TrainingConfig, checkpoints: Path, *, evaluate: bool = False) -> dict[str, Any]:
    """Return the arguments that SFT and DPO share.

    Args:
        config: the run's config.
        checkpoints: the folder for `checkpoint-N`.
        evaluate: whether there are held-out rows.

    """
    import torch

    on_cpu = not torch.cuda.is_available()
    return {
        "output_dir": str(checkpoints),
        "seed": config.seed,
        "data_seed": config.seed,
        # what is computed
        "num_train_epochs": config.epochs,
        "max_steps": config.max_steps or -1,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": config.scheduler,
        "warmup_steps": config.warmup_ratio,  # below 1 it is a share of all steps
        "weight_decay": config.weight_decay,
        "adam_beta1": config.betas[0],
        "adam_beta2": config.betas[1],
        "max_grad_norm": config.clip,
        "per_device_train_batch_size": config.batch_size,
        "per_device_eval_batch_size": config.batch_size,
        "gradient_accumulation_steps": config.gradient_accumulation,
        "bf16": config.precision == "bf16",
        "gradient_checkpointing": None,  # its new name is the next line; TRL still turns the old one on by default
        "activation_checkpointing": config.gradient_checkpointing,
        # where
        "use_cpu": on_cpu,
        "ddp_backend": "gloo" if on_cpu and world_size() > 1 else None,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": not on_cpu,
        "remove_unused_columns": False,  # our collator hands on the row numbers
        # what is kept and said
        "save_strategy": "steps",
        "save_steps": config.save_steps,
        "save_total_limit": config.keep_checkpoints,
        "eval_strategy": "steps" if evaluate else "no",
        "eval_steps": config.save_steps if evaluate else None,
        "logging_steps": config.logging_steps,
        "logging_nan_inf_filter": False,  # a loss that is not finite must be seen
        "include_num_input_tokens_seen": "non_padding",  # unlike TRL's own counter it survives a resume
        "report_to": "none",
        "disable_tqdm": True,
    }
