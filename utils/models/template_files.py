"""The chat templates that we ship, and what a template says of itself.

A template's first line may be a comment `{#- posttrain: {"tokens": […], "marks": […]} -#}`. `tokens` are special tokens
that it needs besides the model's own: they are added to the tokenizer. `marks` are its control words in plain text
(`[INST]`): in data they are broken up as special tokens are. The comment travels with the saved template.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.errors import UserError, nearest

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FOLDER = Path(__file__).parent / "templates"
ALIASES = {"qwen": "chatml", "llama2": "llama-2", "llama3": "llama-3"}

_COMMENT = re.compile(r"\A\s*\{#-?\s*posttrain:(.*?)-?#\}", re.DOTALL)


def shipped() -> list[str]:
    """Names of the shipped templates, aliases included."""
    return sorted([*(file.stem for file in FOLDER.glob("*.jinja")), *ALIASES])


def template_file(template: str) -> Path:
    """Find the file of a shipped name, or of a path that ends in `.jinja`.

    Raises:
        UserError: no such name, with the nearest one, or no such file.

    """
    if template.endswith(".jinja"):
        file = Path(template)
        if not file.is_file():
            raise UserError("no such chat template file", where=template, mend="name a .jinja file or a shipped name")
        return file
    if template not in shipped():
        raise UserError(
            f"no chat template {template!r}; shipped are {', '.join(shipped())}",
            where="template",
            mend=nearest(template, shipped()) or "name a shipped one or a .jinja file",
        )
    return FOLDER / f"{ALIASES.get(template, template)}.jinja"


def declared(text: str, what: str, where: str = "chat template") -> list[str]:
    """Return the `tokens` or `marks` that a template's first comment lists."""
    if not (found := _COMMENT.match(text)):
        return []
    try:
        said: Any = json.loads(found[1])
        listed = said.get(what, []) if set(said) <= {"tokens", "marks"} else None
    except (ValueError, TypeError):
        listed = None
    if not isinstance(listed, list) or not all(isinstance(token, str) and token.strip() for token in listed):
        raise UserError(
            "the template's comment is not as it should be",
            where=where,
            mend='write {#- posttrain: {"tokens": ["<|a|>"], "marks": ["[B]"]} -#}',
        )
    return listed


def needed_tokens(tokenizer: PreTrainedTokenizerBase, text: str) -> list[str]:
    """Return the special tokens that a template (its text) needs and the tokenizer does not have."""
    return [token for token in declared(text, "tokens") if token not in tokenizer.added_tokens_encoder]


def with_tokens(tokenizer: PreTrainedTokenizerBase, template: str) -> int:
    """Give a tokenizer a template, and the special tokens that it needs. Both are saved with the tokenizer.

    Args:
        tokenizer: changed in place; its older tokens keep their ids.
        template: a shipped name or a `.jinja` file.

    Returns:
        The number of tokens that were not there. The model needs `fit_embeddings` then.

    """
    from tokenizers import AddedToken

    file = template_file(template)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"not a readable chat template: {error}", where=str(file), mend="save it as UTF-8") from error
    declared(text, "tokens", where=str(file))
    lacking = needed_tokens(tokenizer, text)
    tokenizer.add_tokens([AddedToken(token, special=True, normalized=False) for token in lacking], special_tokens=True)
    tokenizer.chat_template = text
    return len(lacking)


def fit_embeddings(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Give a model embeddings for all ids of its tokenizer. New ones are the mean of the old: no draw, no seed.

    Returns:
        The number of rows added: 0 where the embeddings are long enough, as padded ones are.

    """
    import torch

    layers: list[Any] = [model.get_input_embeddings(), model.get_output_embeddings()]
    have = int(layers[0].weight.shape[0])
    more = len(tokenizer) - have
    if more <= 0:
        return 0
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    layers = [model.get_input_embeddings(), model.get_output_embeddings()]
    with torch.no_grad():
        for layer in filter(None, layers):
            layer.weight[have:] = layer.weight[:have].mean(dim=0)
    return more
