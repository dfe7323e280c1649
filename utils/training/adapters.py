"""Adapters: a small trained part beside frozen weights, by PEFT.

What is saved is the adapter alone, as safetensors, with the absolute path of its base in `adapter_config.json`; the
run's manifest has the hash of that base among its inputs.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.errors import UserError, nearest
from utils.training.config import PeftKeys

if TYPE_CHECKING:
    from peft import PeftConfig, PeftModel
    from transformers import PreTrainedModel

CONFIG = "adapter_config.json"


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter and no model."""
    return (folder / CONFIG).is_file() and not (folder / "config.json").is_file()


def peft_config(keys: PeftKeys, model_type: str) -> PeftConfig:
    """Return the keys in PEFT's words.

    Args:
        keys: of the run's config; those that we do not name are handed on.
        model_type: the architecture, such as `llama`.

    Raises:
        UserError: PEFT's config of this method has no such key, or the architecture is not known to `attention`.

    """
    import peft

    kind: Any
    if keys.method == "lora":
        kind = peft.LoraConfig
        named: dict[str, Any] = {"r": keys.r, "lora_alpha": keys.alpha, "lora_dropout": keys.dropout}
        named["target_modules"] = target_modules(keys, model_type)
    else:
        kinds = {
            "prefix": peft.PrefixTuningConfig,
            "p_tuning": peft.PromptEncoderConfig,
            "prompt": peft.PromptTuningConfig,
        }
        kind, named = kinds[keys.method], {"num_virtual_tokens": keys.virtual_tokens}
    handed_on = keys.model_extra or {}
    known = {field.name for field in dataclasses.fields(kind)}
    for name in handed_on:
        if name not in known or name in named:
            mend = nearest(name, {*known, *PeftKeys.model_fields} - {name})
            raise UserError(f"PEFT's {kind.__name__} takes no {name!r} from here", where=f"peft.{name}", mend=mend)
    config: PeftConfig = kind(task_type=peft.TaskType.CAUSAL_LM, **named, **handed_on)
    return config


def target_modules(keys: PeftKeys, model_type: str) -> list[str] | str:
    """Return the names of the layers that LoRA changes; `attention` by PEFT's own table of architectures."""
    if keys.target_modules != "attention":
        return keys.target_modules
    from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as TABLE

    if model_type not in TABLE:
        mend = "name the layers, or set all-linear"
        raise UserError(f"the attention layers of {model_type} are not known", where="peft.target_modules", mend=mend)
    layers = TABLE[model_type]
    return layers if isinstance(layers, str) else list(layers)


def with_adapter(model: PreTrainedModel, keys: PeftKeys, *, seed: int, new_tokens: list[int]) -> PeftModel:
    """Return the model with a fresh adapter; its own weights are frozen.

    Args:
        model: whole.
        keys: of the run's config.
        seed: of the adapter's first weights, the same on every rank.
        new_tokens: ids that the tokenizer got for the template: their embeddings are trained as well (LoRA).

    Raises:
        UserError: no such layers, or new tokens with a method that trains no embeddings.

    """
    import peft
    from transformers import set_seed

    config: Any = peft_config(keys, model.config.model_type)
    if new_tokens:
        if keys.method != "lora":
            mend = "take method: lora, all weights, or a template whose tokens the tokenizer has"
            raise UserError(
                f"the template's new tokens cannot be learned by {keys.method}", where="peft.method", mend=mend
            )
        config.trainable_token_indices = dict.fromkeys(_embeddings(model), new_tokens)
    _keep_absolute(model)
    set_seed(seed)
    try:
        return _shows_bias(peft.get_peft_model(model, config))
    except ValueError as error:
        raise UserError(str(error).splitlines()[0], where="peft.target_modules", mend=_layers(model)) from error


def _embeddings(model: PreTrainedModel) -> list[str]:
    """Return the names of the layers that hold a row for each token: one when they are tied."""
    layers = [model.get_input_embeddings()]
    if not model.config.get_text_config().tie_word_embeddings:
        layers.append(model.get_output_embeddings())
    return [name.rpartition(".")[2] for name, module in model.named_modules() if any(module is one for one in layers)]


def _layers(model: PreTrainedModel) -> str:
    import torch

    names = {name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    return f"this model has {', '.join(sorted(names))}"


def _keep_absolute(model: PreTrainedModel) -> None:
    """Have PEFT write down where the base is, wherever the adapter is loaded from later."""
    model.name_or_path = str(Path(str(model.name_or_path)).absolute())


def load_adapter(model: PreTrainedModel, folder: Path, *, trainable: bool = False) -> PeftModel:
    """Put a saved adapter on its base.

    Args:
        model: the base; its embeddings are as large as the adapter's tokenizer says.
        folder: with `adapter_config.json` and safetensors.
        trainable: to train it on.

    """
    import peft

    _require_safetensors(folder)
    _keep_absolute(model)
    loaded: PeftModel = peft.PeftModel.from_pretrained(model, folder, is_trainable=trainable, local_files_only=True)
    return _shows_bias(loaded)


def _shows_bias(model: PeftModel) -> PeftModel:
    """Give an output layer with trained rows the `bias` that TRL's fused loss asks for: PEFT's wrapper hides it."""
    head: Any = model.get_output_embeddings()
    if hasattr(head, "token_adapter"):
        vars(head)["bias"] = head.original_module.bias  # not registered: it belongs to the original
    return model


def _require_safetensors(folder: Path) -> None:
    """PEFT would fall back to a pickle (S1)."""
    if not (folder / "adapter_model.safetensors").is_file():
        raise UserError("no adapter_model.safetensors here, and pickled weights are not loaded", where=str(folder))


def base_of(folder: Path) -> Path:
    """Return where the base of a saved adapter is.

    Raises:
        UserError: it is not there any more.

    """
    import json

    base = Path(json.loads((folder / CONFIG).read_text(encoding="utf-8"))["base_model_name_or_path"])
    if not base.is_dir():
        mend = f"put it back, or correct base_model_name_or_path in {folder / CONFIG}"
        raise UserError("the adapter's base model is not there", where=str(base), mend=mend)
    return base


def merged(model: PeftModel) -> PreTrainedModel:
    """Return a plain model with the adapter's change added to its weights.

    Raises:
        UserError: the method has virtual tokens, which are no change of weights.

    """
    if model.active_peft_config.is_prompt_learning:
        what = f"a {model.active_peft_config.peft_type} adapter cannot be merged: it is no change of weights"
        raise UserError(what, mend="load it beside its base")
    plain: PreTrainedModel = model.merge_and_unload(safe_merge=True)
    return plain
