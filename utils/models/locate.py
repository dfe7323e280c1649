"""Where a model is: a Hugging Face directory or one of our own finished runs. Never the network, never remote code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def resolve_model(path: Path | str) -> Path:
    """Find the model directory that `path` means.

    Args:
        path: a Hugging Face directory (config.json and safetensors), or a finished sft or dpo run.

    Raises:
        UserError: nothing loadable is there, with what to do about it.

    """
    path = Path(path)
    if not path.is_dir():
        raise UserError("no such model directory", where=str(path), mend="name a Hugging Face model directory or a run")
    if (path / "run").is_dir() or (path / "manifest.json").is_file():  # ours: the manifest says that it is done
        if not (path / "manifest.json").is_file():
            raise UserError("this run is not finished", where=str(path), mend=f"posttrain resume {path}")
        path = path / "model"
    if not (path / "config.json").is_file():
        raise UserError("no model here: config.json is missing", where=str(path), mend="name a model directory")
    if not any(path.glob("*.safetensors")):
        raise UserError(
            "no *.safetensors here, and pickled weights are not loaded",
            where=str(path),
            mend="save the model again with save_pretrained of a current transformers",
        )
    return path


def work_offline() -> None:
    """Import transformers kept from the network and without progress bars; call it before any other import of it."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch

    if not torch.cuda.is_available():  # DeepSpeed, which trl imports, would warn that it had to find out
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    from transformers.utils import logging

    logging.disable_progress_bar()


def load_tokenizer(path: Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a resolved model directory, with a padding token."""
    work_offline()
    from transformers import AutoTokenizer

    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
        path, trust_remote_code=False, local_files_only=True
    )
    if tokenizer.eos_token_id is None:
        raise UserError(
            "the tokenizer has no end token", where=str(path), mend="set eos_token in tokenizer_config.json"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(path: Path, **kwargs: Any) -> PreTrainedModel:
    """Load the weights of a resolved model directory: safetensors only, fp32 unless `dtype` says otherwise."""
    work_offline()
    from transformers import AutoModelForCausalLM

    kwargs.setdefault("dtype", "float32")
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        path, trust_remote_code=False, local_files_only=True, use_safetensors=True, **kwargs
    )
    return model
