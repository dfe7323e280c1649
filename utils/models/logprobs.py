"""How likely a model finds given answers: the sum of log-probabilities and the held-out loss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.models.generate import length_sorted_batches

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class Likelihood:
    """The log-probability of an answer given its prompt.

    Args:
        logprob: natural logarithm, summed over the answer's tokens.
        tokens: of the answer, its end token included.

    """

    logprob: float
    tokens: int


def answer_logprobs(
    model: PreTrainedModel, pairs: Sequence[tuple[Sequence[int], Sequence[int]]], *, batch_size: int = 16
) -> list[Likelihood]:
    """Score answers, batched and padded on the right.

    Args:
        model: in evaluation mode.
        pairs: token ids of (prompt, answer) as `ChatTemplate.pair` gives them; a prompt has at least one token.
        batch_size: rows per forward pass.

    """
    whole = [[*prompt, *answer] for prompt, answer in pairs]
    scores: dict[int, Likelihood] = {}
    for rows in length_sorted_batches(whole, batch_size):
        starts = [len(pairs[row][0]) for row in rows]
        sums = _sums(model, [whole[row] for row in rows], starts)
        for row, logprob in zip(rows, sums, strict=True):
            scores[row] = Likelihood(logprob, len(pairs[row][1]))
    return [scores[row] for row in range(len(whole))]


def _sums(model: PreTrainedModel, rows: list[list[int]], starts: list[int]) -> list[float]:
    """Sum of log-probabilities of `row[start:]`, per row."""
    import torch

    width = max(map(len, rows))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows], device=model.device)  # (B, T)
    attention = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=model.device)
    with torch.inference_mode():
        logits: torch.Tensor = model(input_ids=ids, attention_mask=attention, use_cache=False).logits
    chosen = logits[:, :-1].float().log_softmax(-1).gather(-1, ids[:, 1:, None]).squeeze(-1)  # (B, T-1)
    place = torch.arange(1, width, device=model.device)[None]  # of the token that a column predicts
    begin = torch.tensor(starts, device=model.device)[:, None]
    inside = (place >= begin) & (attention[:, 1:] == 1)
    sums: list[float] = (chosen * inside).sum(-1).tolist()
    return sums


def heldout_loss(scores: Iterable[Likelihood]) -> float:
    """Mean negative log-likelihood per answer token, in nats; every token weighs the same."""
    scores = list(scores)
    tokens = sum(score.tokens for score in scores)
    return -sum(score.logprob for score in scores) / tokens if tokens else float("nan")
