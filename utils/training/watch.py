"""What is watched while a model trains: numbers that go bad, a process that hangs, a disk that fills up."""

from __future__ import annotations

import faulthandler
import json
import math
import os
import shutil
import statistics
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from utils.errors import RetryLaterError, StageFailedError
from utils.runs.directory import Run
from utils.training.config import TrainingConfig
from utils.training.launch import rank

MEDIAN_OF = 50
"""Losses that the running median is taken of."""

MEDIAN_FROM = 10
"""Losses there must be before one can be a spike."""

DISK_ALARMS = (0.85, 0.80)
_IDS_SHOWN = 64


class BadSteps(TrainerCallback):
    """Count steps whose loss or gradient is not finite, or whose loss is a spike; too many in a row end the run.

    A gradient that is not finite never reaches the weights: the step is left out. A spike is a step like others until
    there are too many in a row. Every rank comes to the same verdict, because it is taken on reduced numbers.

    DeepSpeed steps as soon as it has the last gradient, and can leave none out: there a loss that is not finite ends
    the run at once, before its gradient is computed, and a gradient that is not finite ends it after the step.
    """

    def __init__(self, run: Run, trainer: Trainer, row_ids: Sequence[str]) -> None:
        config = run.config
        assert isinstance(config, TrainingConfig)  # noqa: S101  for the type checker
        self.run = run
        self.trainer: Any = trainer
        self.row_ids = row_ids
        self.spike, self.limit = config.spike, config.bad_steps
        self.losses: deque[float] = deque(maxlen=MEDIAN_OF)
        self.in_a_row = 0

    def carried(self) -> dict[str, Any]:
        """Return what the running median is taken of, and the bad steps in a row."""
        return {"losses": list(self.losses), "in_a_row": self.in_a_row}

    def carry_on(self, kept: dict[str, Any]) -> None:
        """Go on with it."""
        self.losses.extend(kept["losses"])
        self.in_a_row = kept["in_a_row"]

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Forget the rows of the step before."""
        self.trainer.step_rows.clear()
        self.trainer.step_loss = None

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Judge the step after clipping, before the weights change."""
        loss = over_ranks(self.trainer.step_loss)
        sharded, scaled = self.trainer.is_deepspeed_enabled, args.fp16  # fp16's scaler leaves bad steps out by itself
        if not math.isfinite(loss):
            what = f"the loss is {loss}"
        elif not sharded and not scaled and not finite_gradients(kwargs["model"]):
            what = "the gradient is not finite"
        elif self.is_spike(loss):
            self._bad(f"the loss is {loss:.4g}, {self.spike} times its running median or more", state)
            return
        else:
            self.in_a_row = 0
            self.losses.append(loss)
            return
        self._bad(what, state, at_once=sharded)
        if not scaled:
            kwargs["model"].zero_grad(set_to_none=True)  # an optimizer passes over weights without a gradient

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Under DeepSpeed, look at the gradient's norm, which is known after the step only."""
        if "loss" in kwargs["logs"]:
            self.trainer._tr_loss.zero_()  # the trainer takes its sum away from itself: NaN would stay for ever
        norm = kwargs["logs"].get("grad_norm", 0.0)
        if self.trainer.is_deepspeed_enabled and not args.fp16 and not math.isfinite(norm):
            self.fail("the gradient was not finite", state.global_step)

    def is_spike(self, loss: float) -> bool:
        """Whether a loss stands out of the last ones."""
        if self.spike is None or len(self.losses) < MEDIAN_FROM:
            return False
        return loss > self.spike * statistics.median(self.losses)

    def _bad(self, what: str, state: TrainerState, *, at_once: bool = False) -> None:
        self.in_a_row += 1
        if at_once or self.in_a_row >= self.limit:
            self.fail(what, state.global_step + 1)
        said = "bad step %d of at most %d in a row: %s at step %d, rows %s"
        self.run.log.warning(said, self.in_a_row, self.limit, what, state.global_step + 1, self.rows())

    def rows(self) -> str:
        """Return the ids of the step's rows, of all ranks; all ranks call it."""
        mine = [row for part in self.trainer.step_rows for row in part.tolist()]
        everyone = [mine]
        if distributed.is_initialized() and distributed.get_world_size() > 1:
            from utils.training.agreement import gather

            everyone = [json.loads(text) for text in gather(json.dumps(mine).encode())]
        rows = [row for of_one in everyone for row in of_one]
        ids = [self.row_ids[row] for row in rows[:_IDS_SHOWN]]
        return (", ".join(ids) or "unknown") + (f" and {len(rows) - len(ids)} more" if len(rows) > len(ids) else "")

    def fail(self, what: str, step: int) -> None:
        """End the run, naming the rows.

        Raises:
            StageFailedError: always.

        """
        raise StageFailedError(
            f"{what} at step {step}, rows {self.rows()}; the checkpoints before are good",
            mend="lower learning_rate or raise warmup_ratio, or look at these rows with posttrain why ID",
        )


def over_ranks(value: torch.Tensor | None) -> float:
    """Return the mean of a number over all ranks; NaN when there is none."""
    if value is None:
        return math.nan
    value = value.detach().float()
    if distributed.is_initialized() and distributed.get_world_size() > 1:
        value = value.clone()
        distributed.all_reduce(value)
        value /= distributed.get_world_size()
    return float(value.item())


def finite_gradients(model: torch.nn.Module) -> bool:
    """Whether every gradient is finite; one answer comes back from a GPU, not one for each weight."""
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    if not gradients:
        return True
    norms = torch.stack([norm.float() for norm in torch._foreach_norm(gradients, float("inf"))])
    return bool(norms.isfinite().all().item())


def anywhere(flag: bool, args: TrainingArguments) -> bool:
    """Whether a flag is up on any rank; all ranks call it."""
    if not distributed.is_initialized() or distributed.get_world_size() == 1:
        return flag
    raised = torch.tensor(int(flag), device=args.device)
    distributed.all_reduce(raised, distributed.ReduceOp.MAX)
    return bool(raised.item())


class Watchdog(TrainerCallback):
    """End a process that has done nothing for `hang_s` seconds, with the stacks of its threads in a file.

    It ends with exit code 75, "try again later": nothing is known to be wrong with config or data. No report of the
    rank is left, so a supervisor takes it for a lost rank and starts all again from the newest complete checkpoint;
    without one, the same command does. Waiting for data counts as doing nothing.
    """

    EXIT_CODE = 75

    def __init__(self, run: Run, limit_s: float) -> None:
        self.run = run
        self.limit_s = limit_s
        self.stacks = run.inner / f"hang-rank-{rank()}.txt"
        self._beat = time.monotonic()
        self._over = threading.Event()

    def __enter__(self) -> Watchdog:
        self._beat = time.monotonic()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(min(1.0, self.limit_s / 4)):
            if time.monotonic() - self._beat > self.limit_s:
                self._end()

    def _end(self) -> None:
        with self.stacks.open("w", encoding="utf-8") as stream:
            faulthandler.dump_traceback(stream, all_threads=True)
        said = "no step in %g s: it hangs, or a step takes longer than hang_s; stacks in %s → posttrain resume %s"
        self.run.log.error(said, self.limit_s, self.stacks, self.run.path)
        if self.run.leader:
            self.run.set_state("interrupted")
        os._exit(self.EXIT_CODE)

    def beat(self, *_: Any, **__: Any) -> None:
        """Say that something was done."""
        self._beat = time.monotonic()

    on_train_begin = on_substep_end = on_step_end = on_prediction_step = on_evaluate = on_save = on_log = beat


@contextmanager
def full_disk_told(where: Path) -> Iterator[None]:
    """Say that the disk is full where torch.save only says that it wrote less than it wanted (F4).

    Raises:
        RetryLaterError: that, on a disk with nothing left.

    """
    try:
        yield
    except RuntimeError as error:
        if "inline_container" in str(error) and shutil.disk_usage(where).free < 1 << 20:
            mend = "free space, same command"
            raise RetryLaterError("no space left on the device", where=str(where), mend=mend) from error
        raise


class DiskAlarm(TrainerCallback):
    """Before a checkpoint: warn of a disk that is nearly full, and end the run when the checkpoint would not fit."""

    def __init__(self, run: Run, checkpoints: Path, *, sharded: bool = False) -> None:
        self.run = run
        self.checkpoints = checkpoints
        self.sharded = sharded
        self._warned = 0.0

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Look at the disk when a checkpoint comes next."""
        if not control.should_save:
            return
        usage = shutil.disk_usage(self.run.path)
        needed = self._size(kwargs["model"])
        if anywhere(usage.free < needed, args):
            what = (
                f"the next checkpoint needs about {needed / 1e6:,.1f} MB of disk, {usage.free / 1e6:,.1f} MB are free"
            )
            raise RetryLaterError(what, where=str(self.run.path), mend="free space, then the same command")
        full = next((share for share in DISK_ALARMS if usage.used / usage.total >= share), 0.0)
        if self.run.leader and full > self._warned:
            self._warned = full
            said = "the disk of %s is %.0f %% full, %.1f GB are free"
            self.run.log.warning(said, self.run.path, 100 * usage.used / usage.total, usage.free / 1e9)

    def _size(self, model: torch.nn.Module) -> int:
        """Estimate a checkpoint's bytes: as large as the last.

        The first one: the trained weights and two AdamW moments in fp32, under DeepSpeed another copy of the weights;
        frozen weights beside an adapter are not saved.
        """
        last = max(self.checkpoints.glob("checkpoint-*"), key=lambda path: path.stat().st_mtime, default=None)
        if last is not None:
            return sum(path.stat().st_size for path in last.rglob("*") if path.is_file())
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        copies = 4 if self.sharded else 3
        return sum(4 * copies * getattr(weight, "ds_numel", weight.numel()) for weight in trained)
