"""Our keys in the words of transformers' TrainingArguments, which TRL's SFTConfig and DPOConfig extend."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from utils.errors import UserError
from utils.models.locate import resolve_model, work_offline
from utils.training.config import TrainingConfig
from utils.training.launch import ranks_are_here, world_size


def training_arguments(config: TrainingConfig, checkpoints: Path, *, evaluate: bool = False) -> dict[str, Any]:
    """Return the arguments that SFT and DPO share.

    Args:
        config: the run's config.
        checkpoints: the folder for `checkpoint-N`.
        evaluate: whether there are held-out rows.

    Raises:
        UserError: this machine cannot do what the config asks for.

    """
    import torch

    on_cpu = not torch.cuda.is_available()
    check_precision(config)
    return {
        "output_dir": str(checkpoints),
        "seed": config.seed,
        "data_seed": config.seed,
        # what is computed
        "num_train_epochs": config.epochs,
        "max_steps": config.max_steps or -1,
        "learning_rate": config.learning_rate,
        **schedule(config),
        "weight_decay": config.weight_decay,
        "adam_beta1": config.betas[0],
        "adam_beta2": config.betas[1],
        "max_grad_norm": config.clip,
        "per_device_train_batch_size": config.batch_size,
        "per_device_eval_batch_size": config.batch_size,
        "gradient_accumulation_steps": config.gradient_accumulation,
        "bf16": config.precision == "bf16",
        "fp16": config.precision == "fp16",
        "use_liger_kernel": uses_liger(config),
        "gradient_checkpointing": None,  # its new name is the next line; TRL still turns the old one on by default
        "activation_checkpointing": config.gradient_checkpointing,
        # where
        "use_cpu": on_cpu,
        "ddp_backend": "gloo" if on_cpu and world_size() > 1 else None,
        "ddp_find_unused_parameters": False,  # every trained weight has a gradient; looking for others costs time
        **_deepspeed(config, on_cpu=on_cpu),
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": not on_cpu,
        "remove_unused_columns": False,  # our collator hands on the row numbers
        # what is kept and said
        "save_strategy": "steps",
        "save_steps": config.save_steps,
        "save_total_limit": None,  # SealCheckpoints removes old ones, after the new one is sealed
        "eval_strategy": "steps" if evaluate else "no",
        "eval_steps": config.save_steps if evaluate else None,
        "metric_for_best_model": "loss" if evaluate and config.keep_best else None,
        "greater_is_better": False if evaluate and config.keep_best else None,
        "logging_steps": config.logging_steps,
        "logging_nan_inf_filter": False,  # a loss that is not finite must be seen
        "include_num_input_tokens_seen": "non_padding",  # unlike TRL's own counter it survives a resume
        "report_to": "none",
        "disable_tqdm": True,
    }


def check_best(config: TrainingConfig, heldout: Path | None) -> None:
    """Refuse `keep_best` without held-out rows: there would be no best one.

    Raises:
        UserError: naming the key.

    """
    if config.keep_best and heldout is None:
        raise UserError("the best checkpoint is found by held-out rows", where="keep_best", mend="name them with eval")


def check_keys(config: TrainingConfig, heldout: Path | None) -> None:
    """Refuse keys that do not go together, and, where the ranks will run here, what this machine cannot do.

    Raises:
        UserError: naming the key.

    """
    check_best(config, heldout)
    schedule(config)
    if ranks_are_here(config):  # elsewhere, each rank looks for itself
        check_precision(config)
        attention_of(config)


def check_precision(config: TrainingConfig) -> None:
    """Refuse what this machine cannot compute.

    Raises:
        UserError: fp16 without a GPU, or bf16 on a GPU that is too old for it.

    """
    import torch

    if config.precision == "fp16" and not torch.cuda.is_available():
        raise UserError("precision: fp16 needs a GPU", where="precision", mend="set it to bf16 or fp32")
    if config.precision == "bf16" and torch.cuda.is_available() and not torch.cuda.is_bf16_supported():
        mend = "set it to fp16"
        raise UserError(f"{torch.cuda.get_device_name()} has no bf16", where="precision", mend=mend)


def schedule(config: TrainingConfig) -> dict[str, Any]:
    """Return how the learning rate rises and falls; `warmup_steps` below 1 is a share of all steps."""
    if config.final_learning_rate and config.scheduler != "cosine":
        mend = "set scheduler: cosine, or leave final_learning_rate out"
        raise UserError(f"final_learning_rate has no effect on {config.scheduler}", where="scheduler", mend=mend)
    rise = {"warmup_steps": config.warmup_ratio if config.warmup_steps is None else config.warmup_steps}
    if not config.final_learning_rate:
        return {"lr_scheduler_type": config.scheduler, **rise}
    fall = {"min_lr_rate": config.final_learning_rate}
    return {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": fall, **rise}


def attention_of(config: TrainingConfig) -> str:
    """Return the attention to load the model with: what this machine, this precision and this architecture have.

    Raises:
        UserError: an attention was asked for by name where it is not there, or the model is no causal language model.

    """
    import torch

    kind = causal_class(resolve_model(config.model))
    has = {"eager"} | ({"sdpa"} if kind._supports_sdpa else set())
    packaged = torch.cuda.is_available() and importlib.util.find_spec("flash_attn") is not None
    if packaged and config.precision != "fp32" and kind._supports_flash_attn:
        has.add("flash_attention_2")
    if config.attention == "auto":
        return next(name for name in ("flash_attention_2", "sdpa", "eager") if name in has)
    if config.attention not in has:
        lacks = f"{kind.__name__} has no {config.attention}"
        if config.attention == "flash_attention_2" and kind._supports_flash_attn:
            lacks = "flash attention has no fp32" if packaged else "flash attention is not there: it needs a GPU"
        raise UserError(lacks, where="attention", mend=f"set attention: auto, here {' or '.join(sorted(has))}")
    return config.attention


def causal_class(model: Path) -> Any:
    """Return the class of a resolved model directory.

    Raises:
        UserError: it is no causal language model that this transformers knows; code of its own is never run (S2).

    """
    work_offline()
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        described = AutoConfig.from_pretrained(model, trust_remote_code=False, local_files_only=True)
        found: Any = AutoModelForCausalLM._model_mapping[type(described)]
    except (KeyError, ValueError, OSError) as error:
        mend = "name a model that generates text, of an architecture that transformers has; code of its own is not run"
        said = json.loads((model / "config.json").read_text(encoding="utf-8")) if isinstance(error, KeyError) else {}
        kind = said.get("model_type") or str(error).splitlines()[0]
        raise UserError(f"no causal language model: {kind}", where=str(model), mend=mend) from error
    return found


def uses_liger(config: TrainingConfig) -> bool:
    """Whether Liger's fused kernels are used."""
    import torch

    return config.kernels and torch.cuda.is_available() and importlib.util.find_spec("liger_kernel") is not None


def _deepspeed(config: TrainingConfig, *, on_cpu: bool) -> dict[str, Any]:
    if config.deepspeed is None:
        return {}
    from utils.training.sharding import deepspeed_json, prepare_deepspeed

    prepare_deepspeed()
    return {"deepspeed": deepspeed_json(config.deepspeed, on_cpu=on_cpu)}
