"""Where a model is: a Hugging Face directory or one of our own finished runs. Never the network, never remote code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def folder_of(path: Path | str) -> Path:
    """Return the folder with the model's files: of a finished run of ours its `model/`, else the directory itself.

    Raises:
        UserError: no such directory, or a run that is not finished.

    """
    path = Path(path)
    if not path.is_dir():
        raise UserError("no such model directory", where=str(path), mend="name a Hugging Face model directory or a run")
    if (path / "run").is_dir() or (path / "manifest.json").is_file():  # ours: the manifest says that it is done
        if not (path / "manifest.json").is_file():
            raise UserError("this run is not finished", where=str(path), mend=f"posttrain resume {path}")
        path = path / "model"
    return path


def resolve_model(path: Path | str) -> Path:
    """Find the model directory that `path` means.

    Args:
        path: a Hugging Face directory (config.json and safetensors), or a finished sft or dpo run.

    Raises:
        UserError: nothing loadable is there, with what to do about it.

    """
    run, path = path, folder_of(path)
    if not (path / "config.json").is_file() and (path / "adapter_config.json").is_file():
        mend = f"posttrain sft merge {run} --output DIR makes a model of a LoRA"
        raise UserError("an adapter is here, and no model of its own", where=str(path), mend=mend)
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

    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            path, trust_remote_code=False, local_files_only=True
        )
    except (ValueError, OSError, KeyError) as error:
        mend = "put tokenizer.json and tokenizer_config.json beside the model"
        raise UserError(f"no usable tokenizer: {_first_line(error)}", where=str(path), mend=mend) from error
    if tokenizer.eos_token_id is None:
        raise UserError(
            "the tokenizer has no end token", where=str(path), mend="set eos_token in tokenizer_config.json"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(path: Path, **kwargs: Any) -> PreTrainedModel:
    """Load the weights of a resolved model directory: safetensors only, fp32 unless `dtype` says otherwise.

    Raises:
        UserError: the files are damaged, or of an architecture that transformers does not have; code that comes with a
            model is never run.

    """
    work_offline()
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        AutoConfig.from_pretrained(path, trust_remote_code=False, local_files_only=True)
    except (ValueError, OSError) as error:
        if "trust_remote_code" in str(error):
            what, mend = "this model brings code of its own, which is never run", "take one that transformers knows"
            raise UserError(what, where=str(path), mend=mend) from error
        raise UserError(f"config.json is not usable: {_first_line(error)}", where=str(path)) from error
    kwargs.setdefault("dtype", "float32")
    try:
        both: Any = AutoModelForCausalLM.from_pretrained(
            path, trust_remote_code=False, local_files_only=True, use_safetensors=True, output_loading_info=True,
            ignore_mismatched_sizes=True, **kwargs
        )  # fmt: skip
    except SafetensorError as error:
        raise UserError(
            f"the weights are damaged: {_first_line(error)}", where=str(path), mend="copy the model anew"
        ) from error
    model: PreTrainedModel = both[0]
    _require_all(both[1], path)
    return model


def _require_all(loaded: dict[str, Any], path: Path) -> None:
    """Refuse weights that transformers would draw at random, with a warning, because the files lack them."""
    odd = sorted(map(str, loaded["missing_keys"])) or sorted(str(key[0]) for key in loaded["mismatched_keys"])
    if odd:
        what = "are not in the files" if loaded["missing_keys"] else "have another shape than config.json says"
        more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
        raise UserError(f"weights {what}: {odd[0]}{more}", where=str(path), mend="copy the model anew, config.json too")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
