"""A model to be used: found, loaded in the precision that is asked for, its adapter on it, its end known."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from utils.errors import UserError
from utils.models.locate import folder_of, load_model, load_tokenizer, resolve_model
from utils.models.template_files import fit_embeddings, with_tokens
from utils.models.templates import ChatTemplate

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

Precision = Literal["auto", "fp32", "bf16", "fp16"]
TORCH_NAMES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}

_PLACE = "\ue000answer\ue001"  # stands where an answer will; private-use characters, which no template looks for


@dataclass(frozen=True, slots=True)
class Place:
    """Where the parts of a model lie.

    Args:
        tokenizer: folder of the tokenizer and its chat template.
        weights: folder of the model; under an adapter its base.
        adapter: folder of the adapter; None where there is none.

    """

    tokenizer: Path
    weights: Path
    adapter: Path | None = None


def find(path: Path | str) -> Place:
    """Find what `path` means: a Hugging Face directory, a finished training run, or a PEFT directory.

    Raises:
        UserError: nothing loadable is there, or an adapter's base is gone.

    """
    from utils.training.adapters import base_of, is_adapter

    folder = folder_of(path)
    if not is_adapter(folder):
        folder = resolve_model(path)
        return Place(folder, folder)
    base = resolve_model(base_of(folder))
    own = (folder / "tokenizer_config.json").is_file()
    return Place(folder if own else base, base, folder)


def check_precision(dtype: Precision, *, load_in_8bit: bool) -> None:
    """Refuse what this machine cannot compute, before anything is loaded.

    Raises:
        UserError: naming the key.

    """
    if not load_in_8bit:
        return
    import importlib.util

    import torch

    mend = "leave load_in_8bit out; dtype: auto takes 16 bit where there is a GPU"
    if not torch.cuda.is_available():
        raise UserError("8-bit weights need a CUDA GPU, and there is none here", where="load_in_8bit", mend=mend)
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UserError(
            "8-bit weights need the package bitsandbytes, which is not here", where="load_in_8bit", mend=mend
        )
    if dtype == "fp32":
        raise UserError("8-bit weights are computed with in 16 bit", where="dtype", mend="leave dtype out")


def torch_dtype(dtype: Precision) -> str:
    """Return torch's name: `auto` is 16 bit on a GPU (bf16 where it has that), else fp32."""
    import torch

    if dtype != "auto":
        return TORCH_NAMES[dtype]
    if not torch.cuda.is_available():
        return "float32"
    return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"


def open_template_for_use(place: Place, template: str | None, where: str) -> ChatTemplate:
    """Return the chat template to ask through: the model's own, or the one that is named, with its special tokens.

    Raises:
        UserError: the model has none and none is named.

    """
    tokenizer = load_tokenizer(place.tokenizer)
    if template is not None:
        with_tokens(tokenizer, template)
    return ChatTemplate(tokenizer, where=where)


def open_weights(place: Place, template: ChatTemplate, *, dtype: str, load_in_8bit: bool = False) -> PreTrainedModel:
    """Load the model, as long as its tokenizer says, with its adapter on it; on the GPU where there is one.

    Args:
        place: where it lies.
        template: whose tokenizer may have more tokens than the weights.
        dtype: torch's name of it.
        load_in_8bit: by bitsandbytes; `check_precision` came before.

    """
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    more: dict[str, Any] = {}
    if load_in_8bit:
        from transformers import BitsAndBytesConfig

        more = {"quantization_config": BitsAndBytesConfig(load_in_8bit=True), "device_map": {"": 0}}
    model: Any = load_model(place.weights, dtype=dtype, **more)
    fit_embeddings(model, template.tokenizer)
    if place.adapter is not None:
        model = with_saved_adapter(model, place.adapter)
    opened: PreTrainedModel = (model if load_in_8bit else model.to(device)).eval()
    return opened


def with_saved_adapter(model: PreTrainedModel, adapter: Path) -> PeftModel:
    """Put a saved adapter on its base, without PEFT's word about a name that transformers has changed."""
    from utils.training.adapters import load_adapter

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        return load_adapter(model, adapter)


def longest(place: Place) -> int | None:
    """Return the tokens that prompt and answer may have together, by the config alone; None when it does not say."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(place.weights, trust_remote_code=False, local_files_only=True)
    limit = getattr(config, "max_position_embeddings", None)
    return limit if isinstance(limit, int) else None


@dataclass(frozen=True, slots=True)
class Around:
    """What a template puts around an answer's content.

    Args:
        before: text between the prompt's end and the content.
        after: text between the content and the end token.
        end: id of the special token that ends the turn; None where none does.

    """

    before: str = ""
    after: str = ""
    end: int | None = None


def around(template: ChatTemplate) -> Around:
    """Look at how a template ends what the assistant says; it needs no generation markers."""
    from jinja2 import TemplateError

    tokenizer: Any = template.tokenizer
    chat = [{"role": "user", "content": "a"}, {"role": "assistant", "content": _PLACE}]
    try:
        asked = tokenizer.apply_chat_template(chat[:1], tokenize=False, add_generation_prompt=True)
        whole = tokenizer.apply_chat_template(chat, tokenize=False)
    except TemplateError:  # one that wants a system message, say: the tokenizer's end token has to do
        return Around()
    begun, found, rest = whole.partition(_PLACE)
    if not found or not begun.startswith(asked):
        return Around()
    special = {str(token): place for place, token in tokenizer.added_tokens_decoder.items() if token.special}
    at, last = min(((rest.find(token), token) for token in special if token in rest), default=(0, None))
    return Around(begun[len(asked) :], rest[:at], None if last is None else special[last])


def stop_tokens(template: ChatTemplate, configured: int | list[int] | None, end: int | None) -> list[int]:
    """Return the tokens that end an answer: the tokenizer's, those of the generation config, and the template's."""
    said = configured if isinstance(configured, list) else [configured]
    return sorted({token for token in (template.tokenizer.eos_token_id, *said, end) if isinstance(token, int)})


def write_ends(folder: Path) -> list[int]:
    """Write into a model directory's `generation_config.json` where an answer ends, for programs that read only that.

    Args:
        folder: of a whole model, with its tokenizer.

    Returns:
        The ids of the tokens that end an answer.

    """
    from transformers import AutoConfig, GenerationConfig

    tokenizer = load_tokenizer(folder)
    if (folder / "generation_config.json").is_file():
        config = GenerationConfig.from_pretrained(folder, local_files_only=True)
    else:
        model = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        config = GenerationConfig.from_model_config(model)
    template = ChatTemplate(tokenizer) if isinstance(tokenizer.chat_template, str) else None
    known = tokenizer.eos_token_id
    ends = stop_tokens(template, config.eos_token_id, around(template).end) if template else [known]
    config.eos_token_id = ends
    config.pad_token_id = tokenizer.pad_token_id
    config.save_pretrained(folder)
    return ends
