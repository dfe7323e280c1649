"""The care that every training run gets: resume, signals, whole checkpoints, metrics; the alarms are in watch.py.

The trainer stays TRL's own. Care hangs on it as callbacks, and on the batch as one more key: the row numbers, so that
an error can name the rows that caused it.
"""

from __future__ import annotations

import json
import math
import shutil
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from utils.errors import InterruptedRunError
from utils.runs.directory import Run
from utils.training import hardware
from utils.training.carried import Carry
from utils.training.checkpoints import discard_newer, keep_newest, newest_complete, point, seal
from utils.training.config import TrainingConfig
from utils.training.launch import world_size
from utils.training.meters import Flops, Meters, row_sums
from utils.training.sharding import stage_of
from utils.training.trackers import Tracker, open_trackers
from utils.training.watch import BadSteps, DiskAlarm, Watchdog, anywhere, full_disk_told, over_ranks

ROW = "row"
NAMES = {"learning_rate": "lr", "num_input_tokens_seen": "tokens"}
SHOWN = ("loss", "eval_loss", "rewards/margins", "lr", "grad_norm", "tokens", "tgs", "mfu")
DROPPED = {"num_tokens", "eval_num_tokens"}
"""TRL's token counter starts at 0 again after a resume; `tokens` goes on."""

_MODEL_FILES = {".json", ".safetensors", ".jinja", ".txt", ".model"}
_STATE_FILES = {"trainer_state.json", "complete.json"}


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


def train_with_care(
    run: Run,
    trainer: Trainer,
    row_ids: Sequence[str],
    *,
    folder: Path | None = None,
    stage: str | None = None,
    flops: Flops | None = None,
    more: Iterable[TrainerCallback] = (),
) -> None:
    """Train to the end, from the newest complete checkpoint if there is one.

    Args:
        run: the run; only its leader writes.
        trainer: a TRL trainer made `careful`, with a collator `with_rows`, whose output_dir is `folder/checkpoints`.
        row_ids: record ids by row number.
        folder: for checkpoints and metrics; by default the run's own.
        stage: told in every line of the metrics.
        flops: of the model, measured before it was wrapped.
        more: callbacks that come before the metrics.

    Raises:
        InterruptedRunError: a signal came; a checkpoint is saved and the same command resumes.
        StageFailedError: too many bad steps in a row.
        RetryLaterError: the next checkpoint would not fit on the disk.

    """
    config = cast("TrainingConfig", run.config)
    folder = folder or run.inner
    checkpoints, metrics = folder / "checkpoints", folder / "metrics.jsonl"
    resumed = newest_complete(checkpoints, world_size=world_size(), log=run.log)
    wait_for_all_ranks()  # each looks at the same checkpoints before any is removed
    done = state_of(resumed).global_step if resumed else 0
    if run.leader:
        discard_newer(checkpoints, resumed)
        keep_steps(metrics, done)
    wait_for_all_ranks()
    if resumed:
        run.log.info("resuming from %s", resumed)
        if done >= state_of(resumed).max_steps:  # killed between the last step and the commit
            trainer.state = state_of(resumed)
            return
    trackers = open_trackers(run, config)
    writer = WriteMetrics(run, metrics, trackers, stage)
    _add_callbacks(run, trainer, row_ids, flops, [writer, *more])
    with ExitStack() as during:
        for tracker in trackers:
            during.callback(tracker.close)
        during.enter_context(hardware.sampled(run))
        during.enter_context(full_disk_told(run.path))
        if config.hang_s is not None:
            watchdog = Watchdog(run, config.hang_s)
            trainer.add_callback(watchdog)
            during.enter_context(watchdog)
        trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    if trainer.state.global_step < trainer.state.max_steps:
        raise InterruptedRunError(
            f"training stopped after step {trainer.state.global_step} of {trainer.state.max_steps}, checkpoint saved",
            mend=f"posttrain resume {run.path}",
            signum=run.stop.signum,
        )


def _add_callbacks(
    run: Run, trainer: Trainer, row_ids: Sequence[str], flops: Flops | None, more: Iterable[TrainerCallback]
) -> None:
    """Hang everything on the trainer, in the order in which it has to be asked."""
    config = cast("TrainingConfig", run.config)
    checkpoints = Path(cast("str", trainer.args.output_dir))
    trainer.step_rows = []  # type: ignore[attr-defined]
    trainer.step_loss = None  # type: ignore[attr-defined]
    trainer.remove_callback(PrinterCallback)  # stdout is for data
    bad_steps = BadSteps(run, trainer, row_ids)
    meters = Meters(trainer, flops, config.precision)
    for callback in (
        StopAtSignal(run),
        bad_steps,
        meters,  # before what writes its numbers
        *more,
        DiskAlarm(run, checkpoints, sharded=config.deepspeed is not None),
        Carry([cast("Any", trainer), bad_steps, meters], checkpoints),
        SealCheckpoints(run, checkpoints),
        TrainAgain(),
    ):
        trainer.add_callback(callback)


def publish_model(
    run: Run,
    trainer: Trainer,
    report: dict[str, Any],
    *,
    unit: str = "model",
    into: str = "model",
    folders: Sequence[Path] = (),
) -> None:
    """Commit the final checkpoint's model, which plain transformers or PEFT loads, and beside it metrics and samples.

    The files are those of the checkpoint that the leader sealed: the same way for whole, sharded and adapted models.

    Args:
        run: the run; ranks other than the leader wait.
        trainer: after its last step.
        report: of the unit.
        unit: its name.
        into: the model's folder, in the run directory.
        folders: whose metrics and samples to commit, one after another; by default this training's.

    """
    checkpoints = Path(cast("str", trainer.args.output_dir))
    if run.leader:
        final = checkpoints / f"checkpoint-{trainer.state.global_step}"
        point(checkpoints / "final", final.name)
        with run.unit(unit) as work:
            with work.directory(into) as folder:
                for path in sorted(final.iterdir()):
                    if path.is_file() and path.suffix in _MODEL_FILES and path.name not in _STATE_FILES:
                        shutil.copyfile(path, folder / path.name)
            for name in ("metrics.jsonl", "samples.jsonl"):
                written = [path for of in folders or [checkpoints.parent] if (path := of / name).exists()]
                if written or name == "metrics.jsonl":
                    with work.file(str(Path(into).with_name(name))) as temporary:
                        temporary.write_bytes(b"".join(path.read_bytes() for path in written))
            work.commit(report)
    wait_for_all_ranks()


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
    for line in metrics.read_text(encoding="utf-8", errors="replace").split("\n"):  # cut in the middle of a character
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
        if state.global_step < state.max_steps and anywhere(self.run.stop.requested, args):
            control.should_save = control.should_training_stop = True
        return control


class TrainAgain(TrainerCallback):
    """Back to training mode after an evaluation: dropout would stay off."""

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Switch the model."""
        kwargs["model"].train()


class SealCheckpoints(TrainerCallback):
    """Declare a checkpoint complete once every rank has written its part; then remove the old ones."""

    def __init__(self, run: Run, checkpoints: Path) -> None:
        self.run = run
        self.checkpoints = checkpoints

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Write `complete.json`, last."""
        wait_for_all_ranks()
        if not self.run.leader:
            return
        config = cast("TrainingConfig", self.run.config)
        checkpoint = self.checkpoints / f"checkpoint-{state.global_step}"
        (checkpoint / "training_args.bin").unlink(missing_ok=True)  # a pickle that nobody reads
        seal(checkpoint, step=state.global_step, world_size=world_size(), zero=stage_of(config))
        keep_newest(self.checkpoints, config.keep_checkpoints, state.best_global_step)


class WriteMetrics(TrainerCallback):
    """One line of JSON per logged step; the last step is always logged."""

    def __init__(self, run: Run, path: Path, trackers: Sequence[Tracker] = (), stage: str | None = None) -> None:
        self.run = run
        self.path = path
        self.trackers = trackers
        self.stage = stage

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Say so when the learning rate will never come to its peak."""
        rise = args.get_warmup_steps(state.max_steps)
        if self.run.leader and rise >= state.max_steps:
            said = "the warm-up takes %d steps, the training has %d: the learning rate never comes to its peak"
            self.run.log.warning(said, rise, state.max_steps)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Have the last step logged, whatever `logging_steps` says: a short run has numbers too."""
        if state.global_step >= state.max_steps:
            control.should_log = True
        return control

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Append the line; the summary at the end of training has no loss of a step and is left out.

        JSON has no NaN: a number that is not finite is null in the file.
        """
        logs: dict[str, Any] = kwargs["logs"]
        if not self.run.leader or not {"loss", "eval_loss"} & logs.keys():
            return
        speeds = {key for key in logs if key.endswith(("_runtime", "_per_second"))}
        line = {NAMES.get(key, key): value for key, value in logs.items() if key not in DROPPED | speeds}
        with self.path.open("a", encoding="utf-8") as stream:
            named = {"stage": self.stage} if self.stage else {}
            numbers = {name: finite(value) for name, value in line.items()}
            stream.write(json.dumps({"step": state.global_step, **named, **numbers}) + "\n")
        for tracker in self.trackers:
            tracker.send(
                state.global_step, {f"{self.stage}/{name}": line[name] for name in line} if self.stage else line
            )
        shown = " ".join(f"{name}={line[name]:.4g}" for name in SHOWN if name in line)
        self.run.log.info("step %d/%d %s", state.global_step, state.max_steps, shown)


def finite(value: Any) -> Any:
    """Return a number, or None when it is not finite."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
