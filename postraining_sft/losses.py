"""The loss of conversations and of pretraining documents in one batch: weighted together, reported apart.

A step's loss is the weighted mean over its trained tokens, of all forward passes and all ranks: Σ w·l ÷ Σ w, where w is
`document_weight` for a document's token and 1 for a conversation's. So tokens count alike wherever they lie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import torch

from postraining_sft.batching import CONVERSATION, DOCUMENT, IGNORED, PADDING

if TYPE_CHECKING:
    from transformers import Trainer

KINDS = {"sft": CONVERSATION, "document": DOCUMENT}

TrainerT = TypeVar("TrainerT", bound="Trainer")


def token_losses(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of every next token, 0 where it is ignored.

    Args:
        logits: (batch, tokens, vocabulary).
        labels: (batch, tokens), IGNORED without loss.

    Returns:
        (batch, tokens − 1), fp32.

    """
    return torch.nn.functional.cross_entropy(
        logits[:, :-1].float().transpose(1, 2), labels[:, 1:], ignore_index=IGNORED, reduction="none"
    )


def sums_by_kind(losses: torch.Tensor, trained: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
    """Add up losses and count trained tokens, conversations and documents apart.

    Args:
        losses: of each target, (batch, targets).
        trained: whether a target counts, (batch, targets) bool.
        kinds: CONVERSATION or DOCUMENT of each target, (batch, targets).

    Returns:
        (2, 2) fp64: row 0 conversations, row 1 documents; column 0 the sum of losses, column 1 the count.

    """
    of = torch.stack([trained & (kinds == kind) for kind in KINDS.values()])
    return torch.stack([(losses.double() * of).sum((1, 2)), of.sum((1, 2)).double()], dim=1)


def weights_by_kind(kinds: torch.Tensor, document_weight: float) -> torch.Tensor:
    """Return the weight of each target, (batch, targets) fp32."""
    return torch.where(kinds == DOCUMENT, document_weight, 1.0).to(torch.float32)


def _targets(kinds: torch.Tensor, count: int) -> torch.Tensor:
    """Return the kinds of `count` targets from those of the tokens: the first token is no target.

    Trained virtual tokens before the text make more targets than that; they are padding.
    """
    targets = kinds[:, 1:]
    return torch.nn.functional.pad(targets, (count - targets.shape[1], 0), value=PADDING)


class LossesApart:
    """Mixed into TRL's SFTTrainer by `losses_apart`: weighs documents, and logs the two losses and the padding.

    TRL computes the loss, from the log-probabilities that its fused head returns; these are weighed on their way.
    """

    document_weight: float
    _sums: dict[bool, torch.Tensor]

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Compute the loss as TRL does, and keep count."""
        inputs = dict(inputs)
        kinds = inputs.pop("document")
        weigher = _Weigher(model, kinds, self.document_weight if self.model.training else 1.0)  # type: ignore[attr-defined]
        loss = super().compute_loss(weigher, inputs, *args, **kwargs)  # type: ignore[misc]
        self._count(weigher.sums, kinds)
        return loss

    def carried(self) -> dict[str, Any]:
        """Return what a checkpoint keeps of the line of the log that is being made."""
        sums = self._sums.get(True)
        return {**super().carried(), "sums": None if sums is None else sums.tolist()}  # type: ignore[misc]

    def carry_on(self, kept: dict[str, Any]) -> None:
        """Go on with it."""
        super().carry_on(kept)  # type: ignore[misc]
        if kept["sums"] is not None:
            self._sums[True] = torch.tensor(kept["sums"], dtype=torch.float64, device=self.args.device)  # type: ignore[attr-defined]

    def _get_num_items_in_batch(self, batches: list[dict[str, Any]], device: torch.device) -> Any:
        """Return the Σ w of a whole step over all ranks, whatever the model's own loss would do."""
        total = torch.zeros((), device=device)
        for batch in batches:
            weights = weights_by_kind(batch["document"][:, 1:], self.document_weight)
            total += (weights * (batch["labels"][:, 1:] != IGNORED)).sum().to(device)
        return self.accelerator.gather(total).sum()  # type: ignore[attr-defined]

    def _count(self, sums: torch.Tensor, kinds: torch.Tensor) -> None:
        """Add to what the next line of the log says: (3, 2), sums by kind, then padding and all places."""
        places = torch.stack([(kinds == PADDING).sum(), torch.tensor(kinds.numel(), device=kinds.device)]).double()
        counted = torch.cat([sums, places[None]])
        mode = self.model.training  # type: ignore[attr-defined]
        self._sums[mode] = self._sums[mode] + counted if mode in self._sums else counted

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Add the losses, how many tokens these are of, and the share of padding; all ranks call it."""
        mode = bool(self.model.training)  # type: ignore[attr-defined]
        sums = self._sums.pop(mode, None)
        if sums is not None and {"loss", "eval_loss"} & logs.keys():
            total = self.accelerator.reduce(sums, "sum").tolist()  # type: ignore[attr-defined]
            logs.update(_lines(total, "" if mode else "eval_"))
            if not mode:  # TRL's is a mean over batches; `keep_best` goes by this one
                logs["eval_loss"] = _weighed(total, self.document_weight)
        super().log(logs, *args, **kwargs)  # type: ignore[misc]


def _lines(sums: list[list[float]], prefix: str) -> dict[str, float]:
    lines: dict[str, float] = {}
    for name, (loss, count) in zip(KINDS, sums, strict=False):
        if count:
            lines |= {f"{prefix}loss_{name}": loss / count, f"{prefix}trained_{name}": int(count)}
    if prefix and "eval_loss_document" in lines:
        lines["eval_perplexity_document"] = float(np.exp(lines["eval_loss_document"]))
    padding, places = sums[-1]
    return {**lines, f"{prefix}padding": padding / places}


def _weighed(sums: list[list[float]], document_weight: float) -> float:
    """Return Σ w·l ÷ Σ w over all trained tokens, as a training step's loss is."""
    (sft, of_sft), (document, of_document), _ = sums
    return (sft + document_weight * document) / (of_sft + document_weight * of_document)


class _Weigher:
    """Stands for a model: its outputs' log-probabilities are summed by kind and weighed."""

    def __init__(self, model: Any, kinds: torch.Tensor, document_weight: float) -> None:
        self.model = model
        self.kinds = kinds
        self.document_weight = document_weight
        self.sums = torch.zeros(len(KINDS), 2, dtype=torch.float64, device=kinds.device)

    def __call__(self, **inputs: Any) -> Any:
        outputs = self.model(**inputs)
        log_probs = getattr(outputs, "log_probs", None)
        if log_probs is not None:
            kinds = _targets(self.kinds, log_probs.shape[1])
            self.sums = sums_by_kind(-log_probs.detach(), outputs.label_mask, kinds)
            if self.document_weight != 1.0:
                outputs.log_probs = log_probs * weights_by_kind(kinds, self.document_weight)
        return outputs


def losses_apart(trainer: type[TrainerT], document_weight: float = 1.0) -> type[TrainerT]:
    """Return a TRL SFTTrainer whose batches have `document`, PADDING, CONVERSATION or DOCUMENT for each token."""
    attributes = {"document_weight": document_weight, "_sums": {}, "loss_is_scaled_for_ga": True}
    return cast("type[TrainerT]", type(trainer.__name__, (LossesApart, trainer), attributes))
