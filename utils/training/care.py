"""The care that every training run gets: resume, signals, numbers that stay finite, metrics, whole checkpoints.

The trainer stays TRL's own. Care hangs on it as callbacks, and on the batch as one more key: the row numbers, so that
an error can name the rows that caused it.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from utils.errors import InterruptedRunError, StageFailedError
from utils.runs.directory import Run
from utils.training.checkpoints import discard_newer, newest_complete, seal
from utils.training.launch import world_size

ROW = "row"
NAMES = {"learning_rate": "lr", "num_input_tokens_seen": "tokens"}
SHOWN = ("loss", "eval_loss", "rewards/margins", "lr", "grad_norm", "tokens")
DROPPED = {"num_tokens"}
"""TRL's token counter starts at 0 again after a resume; `tokens` goes on."""


class TokenisedRows:
    """Mixed into a TRL trainer: its rows come tokenised and numbered, by us.

    TRL would tokenise text again, and control tokens in it would become control tokens.
    """

    step_rows: list[int]
    """Row numbers of the current step on this rank."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        rows = inputs.pop(ROW, None)
        if rows is not None and self.model.training:  # type: ignore[attr-defined]
            self.step_rows += rows.tolist()
        prepared: dict[str, Any] = super()._prepare_inputs(inputs)  # type: ignore[misc]
        return prepared


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


def train_with_care(run: Run, trainer: Trainer, row_ids: Sequence[str]) -> None:
    """Train to the end, from the newest complete checkpoint if there is one.

    Args:
        run: the run; only its leader writes.
        trainer: a TRL trainer made `careful`, with a collator `with_rows`.
        row_ids: record ids by row number.

    Raises:
        InterruptedRunError: a signal came; a checkpoint is saved and the same command resumes.
        StageFailedError: the gradient or loss is not finite; the weights of the step before are untouched.

    """
    checkpoints, metrics = run.inner / "checkpoints", run.inner / "metrics.jsonl"
    resumed = newest_complete(checkpoints, world_size=world_size(), log=run.log)
    wait_for_all_ranks()  # each looks at the same checkpoints before any is removed
    if run.leader:
        discard_newer(checkpoints, resumed)
        keep_steps(metrics, int(resumed.name.split("-")[1]) if resumed else 0)
    if resumed:
        run.log.info("resuming from %s", resumed)
    trainer.step_rows = []  # type: ignore[attr-defined]
    trainer.remove_callback(PrinterCallback)  # stdout is for data
    for callback in (StopAtSignal(run), StayFinite(trainer, row_ids), SealCheckpoints(run), WriteMetrics(run, metrics)):
        trainer.add_callback(callback)
    if resumed and state_of(resumed).global_step >= state_of(resumed).max_steps:
        # killed between the last step and the commit: train() would take one step more
        trainer._load_from_checkpoint(str(resumed))
        trainer.state = state_of(resumed)
        return
    trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    if trainer.state.global_step < trainer.state.max_steps:
        raise InterruptedRunError(
            f"training stopped after step {trainer.state.global_step} of {trainer.state.max_steps}, checkpoint saved",
            mend=f"posttrain resume {run.path}",
            signum=run.stop.signum,
        )


def publish_model(run: Run, trainer: Trainer, report: dict[str, Any]) -> None:
    """Commit `model/` and `metrics.jsonl`: safetensors, config and tokenizer that plain transformers loads."""
    if not run.leader:
        return
    with run.unit("model") as unit:
        with unit.directory("model") as folder:
            model: Any = trainer.accelerator.unwrap_model(trainer.model)
            model.save_pretrained(folder)
            trainer.processing_class.save_pretrained(folder)  # type: ignore[union-attr]
        with unit.file("metrics.jsonl") as temporary:
            metrics = run.inner / "metrics.jsonl"
            temporary.write_bytes(metrics.read_bytes() if metrics.exists() else b"")
        unit.commit(report)


def state_of(checkpoint: Path) -> TrainerState:
    """Read how far a checkpoint is."""
    return TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))


def wait_for_all_ranks() -> None:
    """Return when every rank has come this far."""
    if torch.distributed.is_initialized():
        torch.distributed.barrier()


def keep_steps(metrics: Path, step: int) -> None:
    """Drop the lines after `step`, and a line that a crash cut short: those steps are computed again."""
    if not metrics.exists():
        return
    kept = []
    for line in metrics.read_text(encoding="utf-8").split("\n"):
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except ValueError:
            continue
    temporary = metrics.with_suffix(".tmp")
    temporary.write_text("".join(kept), encoding="utf-8")
    temporary.replace(metrics)


class StopAtSignal(TrainerCallback):
    """After SIGTERM or Ctrl-C: finish the step, save a checkpoint, stop. All ranks at the same step."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Ask the trainer to save and stop."""
        if state.global_step < state.max_steps and self._requested_anywhere(args):
            control.should_save = control.should_training_stop = True
        return control

    def _requested_anywhere(self, args: TrainingArguments) -> bool:
        if not torch.distributed.is_initialized():
            return self.run.stop.requested
        flag = torch.tensor(int(self.run.stop.requested), device=args.device)
        torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
        return bool(flag.item())


class StayFinite(TrainerCallback):
    """Stop before a gradient that is not finite reaches the weights, and name the rows it came from."""

    def __init__(self, trainer: Trainer, row_ids: Sequence[str]) -> None:
        self.trainer = trainer
        self.row_ids = row_ids

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Forget the rows of the step before."""
        self.trainer.step_rows.clear()  # type: ignore[attr-defined]

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Look at every gradient, after clipping and before the weights change."""
        gradients = (weight.grad for weight in kwargs["model"].parameters() if weight.grad is not None)
        if not all(bool(gradient.isfinite().all()) for gradient in gradients):
            self._fail("the gradient is not finite", state.global_step + 1)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Look at the loss."""
        logs = kwargs["logs"]
        if not math.isfinite(logs.get("loss", 0.0)):
            self._fail(f"the loss is {logs['loss']}", state.global_step)

    def _fail(self, what: str, step: int) -> None:
        ids = ", ".join(self.row_ids[row] for row in self.trainer.step_rows)  # type: ignore[attr-defined]
        raise StageFailedError(
            f"{what} at step {step}, rows {ids or 'unknown'}; the checkpoints before are good",
            mend="lower learning_rate or raise warmup_ratio, or look at these rows with posttrain why ID",
        )


class SealCheckpoints(TrainerCallback):
    """Declare a checkpoint complete once every rank has written its part."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Write `complete.json`, last."""
        wait_for_all_ranks()
        if not self.run.leader:
            return
        checkpoint = self.run.inner / "checkpoints" / f"checkpoint-{state.global_step}"
        (checkpoint / "training_args.bin").unlink(missing_ok=True)  # a pickle that nobody reads
        seal(checkpoint, step=state.global_step, world_size=world_size())


class WriteMetrics(TrainerCallback):
    """One line of JSON per logged step; the last step is always logged."""

    def __init__(self, run: Run, path: Path) -> None:
        self.run = run
        self.path = path

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Have the last step logged, whatever `logging_steps` says: a short run has numbers too."""
        if state.global_step >= state.max_steps:
            control.should_log = True
        return control

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Append the line; the summary at the end of training has no loss of a step and is left out."""
        logs: dict[str, Any] = kwargs["logs"]
        if not self.run.leader or not {"loss", "eval_loss"} & logs.keys():
            return
        speeds = {key for key in logs if key.endswith(("_runtime", "_per_second"))}
        line = {NAMES.get(key, key): value for key, value in logs.items() if key not in DROPPED | speeds}
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"step": state.global_step, **line}) + "\n")
        shown = " ".join(f"{name}={line[name]:.4g}" for name in SHOWN if name in line)
        self.run.log.info("step %d/%d %s", state.global_step, state.max_steps, shown)
