"""A local model for as long as a step needs it, and which prompts it cannot take."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.errors import UserError

if TYPE_CHECKING:
    from utils.data.records import Message
    from utils.models.generate import LocalModel


@contextmanager
def loaded(path: Path, *, batch_size: int, **opening: Any) -> Iterator[LocalModel]:
    """Load a model, and give its memory back afterwards: two models never stand in memory together.

    `opening` are further arguments of `LocalModel`.
    """
    from utils.models.generate import LocalModel

    holder = [LocalModel(path, batch_size=batch_size, **opening)]
    try:
        yield holder[0]
    finally:
        del holder[0].model
        holder.clear()
        _free()


def _free() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def context_length(model: LocalModel) -> int | None:
    """Return the tokens that prompt and answer may have together; None when the model does not say."""
    limit = getattr(model.model.config, "max_position_embeddings", None)
    return limit if isinstance(limit, int) else None


def flaw_of(model: LocalModel, prompt: Sequence[Message], max_new_tokens: int) -> str | None:
    """Say why a model cannot answer a prompt; None when it can."""
    from jinja2 import TemplateError

    try:
        length = len(model.template.prompt(prompt))
    except (UserError, TemplateError) as error:
        return f"the chat template refuses the prompt: {error}"
    limit = context_length(model)
    if limit is not None and length + max_new_tokens > limit:
        return f"{length} prompt tokens and {max_new_tokens} new ones are over the model's {limit}"
    return None
