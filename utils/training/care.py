"""The care that every training run gets: resume, signals, whole checkpoints; the alarms are in watch.py.

The trainer stays TRL's own. Care hangs on it as callbacks.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import torch
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from utils.errors import InterruptedRunError
from utils.runs.directory import Run
from utils.training import hardware
from utils.training.carried import Carry
from utils.training.checkpoints import discard_newer, keep_newest, newest_complete, point, seal
from utils.training.config import TrainingConfig
from utils.training.launch import world_size
from utils.training.meters import Flops, Meters
from utils.training.metrics import WriteMetrics, keep_steps
from utils.training.sharding import stage_of
from utils.training.trackers import open_trackers
from utils.training.watch import BadSteps, DiskAlarm, Watchdog, anywhere, full_disk_told

_MODEL_FILES = {".json", ".safetensors", ".jinja", ".txt", ".model"}
_STATE_FILES = {"trainer_state.json", "complete.json"}


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
    metrics = folder / "metrics.jsonl"
    resumed = _go_back(run, folder / "checkpoints", metrics)
    if resumed and (state := state_of(resumed)).global_step >= state.max_steps:  # killed before the commit
        trainer.state = state
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


def _go_back(run: Run, checkpoints: Path, metrics: Path) -> Path | None:
    """Return the checkpoint to go on from, with all that came after it gone."""
    resumed = newest_complete(checkpoints, world_size=world_size(), log=run.log)
    wait_for_all_ranks()  # each looks at the same checkpoints before any is removed
    if run.leader:
        discard_newer(checkpoints, resumed)
        keep_steps(metrics, state_of(resumed).global_step if resumed else 0)
    wait_for_all_ranks()
    if resumed:
        run.log.info("resuming from %s", resumed)
    return resumed


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
