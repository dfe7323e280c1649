"""TensorBoard and MLflow, where they are named and installed. A tracker never stops, slows or fails a run.

Lines go through a bounded queue to a thread. What a tracker cannot take in time is left out and counted; one that
raises is warned of once and left out from there on. `metrics.jsonl` has everything.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from utils.runs.directory import Run
    from utils.training.config import TrainingConfig

Send = Callable[[int, dict[str, float]], None]

_HELD = 1024
_LAST_S = 15.0
"""How long the end of a run waits for its trackers."""


class Tracker:
    """One tracker behind a queue.

    Args:
        name: for the log.
        open_it: returns a function that takes (step, numbers), and one that closes it; called in the thread.
        log: where a failure is said.

    """

    def __init__(self, name: str, open_it: Callable[[], tuple[Send, Callable[[], None]]], log: logging.Logger) -> None:
        self.name = name
        self.log = log
        self.left_out = 0
        self._open = open_it
        self._lines: queue.Queue[tuple[int, dict[str, float]] | None] = queue.Queue(_HELD)
        self._failed = False
        self._thread = threading.Thread(target=self._work, name=f"tracker-{name}", daemon=True)
        self._thread.start()

    def send(self, step: int, line: dict[str, Any]) -> None:
        """Hand on the numbers of a line, at once."""
        if self._failed:
            return
        numbers = {key: float(value) for key, value in line.items() if isinstance(value, int | float)}
        try:
            self._lines.put_nowait((step, numbers))
        except queue.Full:
            self.left_out += 1
            if self.left_out == 1:
                self.log.warning("%s is too slow: lines are left out there, metrics.jsonl has them", self.name)

    def close(self) -> None:
        """Let it finish, but not for long."""
        try:
            self._lines.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(_LAST_S)
        if self._thread.is_alive():
            self.log.warning("%s has not finished in %g s and is left behind", self.name, _LAST_S)

    def _work(self) -> None:
        try:
            send, close = self._open()
            while (line := self._lines.get()) is not None:
                send(*line)
            close()
        except Exception as error:
            self._failed = True
            said = "%s fails and is left out: %s: %s"
            self.log.warning(said, self.name, type(error).__name__, str(error).splitlines()[0] if str(error) else "")


def open_trackers(run: Run, config: TrainingConfig) -> list[Tracker]:
    """Start the trackers that the config names; the leader's alone."""
    if not run.leader:
        return []
    kinds = {"tensorboard": _tensorboard, "mlflow": _mlflow}
    return [Tracker(name, lambda name=name: kinds[name](run, config), run.log) for name in config.trackers]  # type: ignore[misc]


def _tensorboard(run: Run, config: TrainingConfig) -> tuple[Send, Callable[[], None]]:
    from torch.utils.tensorboard import SummaryWriter

    writer: Any = SummaryWriter(str(run.inner / "tensorboard"))

    def send(step: int, numbers: dict[str, float]) -> None:
        for name, value in numbers.items():
            writer.add_scalar(name, value, step)

    return send, writer.close


def _mlflow(run: Run, config: TrainingConfig) -> tuple[Send, Callable[[], None]]:
    """Log to MLFLOW_TRACKING_URI; without it to files in the run directory, never to `./mlruns`."""
    files = not os.environ.get("MLFLOW_TRACKING_URI")
    if files:
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # without it MLflow 3 wants a database
    import mlflow

    if files:
        mlflow.set_tracking_uri((run.inner / "mlflow").absolute().as_uri())
    mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", "posttrain"))
    mlflow.start_run(run_name=run_name(run, config))

    def send(step: int, numbers: dict[str, float]) -> None:
        mlflow.log_metrics({name.replace("/", "."): value for name, value in numbers.items()}, step=step)

    return send, mlflow.end_run


def run_name(run: Run, config: TrainingConfig) -> str:
    """Return the model's name and the job's: Slurm's number where there is one, else the run's own name."""
    return f"{config.model.name} {os.environ.get('SLURM_JOB_ID') or config.name or run.path.name}"
