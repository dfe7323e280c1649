"""Several rows in one sequence: which, and whether a model keeps them apart."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from utils.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

PROVEN = ("gpt_neox", "llama", "mistral", "qwen2")
"""Architectures whose packed rows have the losses and gradients of separate ones, on eager and sdpa attention."""


def best_fit(lengths: list[int], limit: int) -> list[list[int]]:
    """Pack by best fit decreasing: each row, longest first, into the fullest sequence that still has room for it.

    Within 11/9 of the fewest sequences possible, plus a constant (Johnson, 1973).

    Args:
        lengths: of the rows, none above `limit`.
        limit: tokens of a sequence.

    Returns:
        The positions in `lengths` that make up each sequence.

    """
    packs: list[list[int]] = []
    by_room: dict[int, list[int]] = {}
    rooms = 0  # bit r: some sequence has room for exactly r tokens more
    for place in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        length = lengths[place]
        if length > limit:
            raise ValueError(f"a row of {length} tokens, sequences of {limit}")
        enough = rooms >> length
        if enough:
            room = length + (enough & -enough).bit_length() - 1
            pack = by_room[room].pop()
            rooms ^= 0 if by_room[room] else 1 << room
            packs[pack].append(place)
        else:
            room, pack = limit, len(packs)
            packs.append([place])
        left = room - length
        by_room.setdefault(left, []).append(pack)
        rooms |= 1 << left
    return packs


def require_packing(model: PreTrainedModel, attention: str) -> None:
    """Refuse packing where rows in one sequence would see each other, by trying it.

    Two short rows go through the model packed, once with another first row. The second row's output must not change
    with the first row, and must be what it is alone. A model that DeepSpeed has sharded cannot be tried like this:
    there only the architectures pass that our tests prove.

    Args:
        model: not yet wrapped in DDP; for flash attention on its GPU, as the trainer has it.
        attention: eager, sdpa or flash_attention_2.

    Raises:
        UserError: this model on this attention needs `batching: by_length`.

    """
    where, mend = f"{model.config.model_type} on {attention} attention", "use batching: by_length"
    if getattr(getattr(model, "active_peft_config", None), "is_prompt_learning", False):
        raise UserError("packing does not go with trained virtual tokens", where=where, mend=mend)
    if any(hasattr(weight, "ds_id") for weight in model.parameters()):
        if model.config.model_type not in PROVEN or attention not in ("eager", "sdpa"):
            raise UserError("packing is not proven here, and a sharded model cannot be tried", where=where, mend=mend)
        return
    was_training = model.training
    model.eval()
    try:
        leak, shift, precision = _try_packing(model, attention)
    finally:
        model.train(was_training)
    if not (leak <= 1e-6 and shift <= precision**0.5):
        raise UserError("packed rows would see each other", where=where, mend=mend)


def _try_packing(model: PreTrainedModel, attention: str) -> tuple[float, float, float]:
    """Return how far a row's logits move with the row before it and with its place, of their range; and the epsilon."""
    import torch

    half = attention.startswith("flash")
    random = np.random.default_rng(0)
    rows = torch.from_numpy(random.integers(0, model.config.get_text_config().vocab_size, (3, 12))).to(model.device)
    place = torch.arange(12, device=model.device)[None]
    context = torch.autocast(model.device.type, torch.bfloat16) if half else nullcontext()
    with torch.no_grad(), context:
        alone = _logits(model, rows[2:], place)
        both = torch.cat([place, place], 1)
        one, other = (_logits(model, torch.cat([rows[[n]], rows[2:]], 1), both)[:, 12:] for n in (0, 1))
    scale = float((alone - alone.mean()).abs().max()) or 1.0
    leak, shift = float((one - other).abs().max()) / scale, float((one - alone).abs().max()) / scale
    return leak, shift, torch.finfo(torch.bfloat16 if half else model.dtype).eps


def _logits(model: PreTrainedModel, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """Return the logits in fp32, (batch, tokens, vocabulary); a model that takes no positions never learns of them."""
    import inspect

    whole: Any = model.get_base_model if hasattr(model, "get_base_model") else lambda: model
    takes = "position_ids" in inspect.signature(whole().forward).parameters  # PEFT's own forward names nothing
    output = model(input_ids=ids, use_cache=False, **({"position_ids": positions} if takes else {}))
    logits: torch.Tensor = output.logits.float()
    return logits
