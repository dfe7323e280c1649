"""A TRL trainer that takes our tokenised, numbered rows, and keeps what a step was made of.

The row numbers are one more key of the batch, so that an error can name the rows that caused it.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from transformers import Trainer

from utils.training.meters import row_sums
from utils.training.watch import BadSteps, over_ranks

ROW = "row"


class TokenisedRows:
    """Mixed into a TRL trainer: its rows come tokenised and numbered, by us; what a step was made of is kept.

    TRL would tokenise text again, and control tokens in it would become control tokens.
    """

    step_rows: list[torch.Tensor]
    """Row numbers of the current step on this rank, by forward pass."""
    step_loss: torch.Tensor | None
    """Loss of the current step on this rank, so far."""
    row_sums: torch.Tensor | None
    """(tokens, Σ s², places) since the last line of the log."""
    waited_s: float
    """Seconds of waiting for data since the last line of the log."""
    began: float
    """When the current step asked for its data."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> Any:
        """Take the time of waiting for data; a step begins here."""
        self.began = time.perf_counter()
        samples = super().get_batch_samples(*args, **kwargs)  # type: ignore[misc]
        self.waited_s += time.perf_counter() - self.began
        return samples

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        rows = inputs.pop(ROW, None)
        if rows is not None and self.model.training:  # type: ignore[attr-defined]
            self.step_rows.append(rows)
            if (sums := row_sums(inputs)) is not None:
                self.row_sums = sums if self.row_sums is None else self.row_sums + sums
        prepared: dict[str, Any] = super()._prepare_inputs(inputs)  # type: ignore[misc]
        return prepared

    def _track_num_input_tokens(self, inputs: dict[str, Any]) -> None:
        """Count what is no padding; transformers leaves out the end tokens of packed rows where they pad as well."""
        if (sums := row_sums(inputs)) is not None:
            tokens = self.accelerator.gather(sums[0]).sum().item()  # type: ignore[attr-defined]
            self.state.num_input_tokens_seen += int(tokens)  # type: ignore[attr-defined]

    def carried(self) -> dict[str, Any]:
        """Return what the next line of the log will be made of."""
        trainer: Any = self
        sums = None if self.row_sums is None else self.row_sums.tolist()
        return {
            "loss": trainer._tr_loss.item(),
            "logged": trainer._globalstep_last_logged,
            "metrics": trainer._metrics["train"],
            "row_sums": sums,
            "waited_s": self.waited_s,
        }

    def carry_on(self, kept: dict[str, Any]) -> None:
        """Go on with the line of the log that was begun."""
        trainer: Any = self
        trainer._tr_loss.fill_(kept["loss"])
        trainer._globalstep_last_logged = kept["logged"]
        trainer._metrics["train"].update(kept["metrics"])
        if kept["row_sums"] is not None:
            self.row_sums = torch.tensor(kept["row_sums"], dtype=torch.float64, device=trainer.args.device)
        self.waited_s = kept["waited_s"]

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        """Look at the loss where nobody can after the backward pass."""
        loss = super().compute_loss(*args, **kwargs)  # type: ignore[misc]
        if self.is_deepspeed_enabled and self.model.training:  # type: ignore[attr-defined]
            self._refuse_for_deepspeed(loss)
        return loss

    def _refuse_for_deepspeed(self, loss: torch.Tensor) -> None:
        """Stop before the backward pass: DeepSpeed takes its step inside of it."""
        value = over_ranks(loss)
        if not math.isfinite(value) and not self.args.fp16:  # type: ignore[attr-defined]
            watch = next(one for one in self.callback_handler.callbacks if isinstance(one, BadSteps))  # type: ignore[attr-defined]
            watch.fail(f"the loss is {value}", self.state.global_step + 1)  # type: ignore[attr-defined]

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Add the losses of a step's forward passes."""
        loss: torch.Tensor = super().training_step(*args, **kwargs)  # type: ignore[misc]
        self.step_loss = loss if self.step_loss is None else self.step_loss + loss
        return loss


TrainerT = TypeVar("TrainerT", bound=Trainer)


def careful(trainer: type[TrainerT]) -> type[TrainerT]:
    """Return a TRL trainer that takes our tokenised rows and knows their numbers."""
    # trl 1.16 asks transformers for a name that it renamed; nothing a user could change
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
    return cast("type[TrainerT]", type(trainer.__name__, (TokenisedRows, trainer), {}))


def with_rows(
    collate: Callable[[list[dict[str, Any]]], dict[str, Any]],
) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
    """Let a collator hand on the row numbers of its examples."""

    def collate_with_rows(examples: list[dict[str, Any]]) -> dict[str, Any]:
        return {**collate(examples), ROW: torch.tensor([example[ROW] for example in examples])}

    return collate_with_rows
