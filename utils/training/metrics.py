"""`metrics.jsonl`: a line for every logged step, whatever trackers there are."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from utils.runs.directory import Run
from utils.training.trackers import Tracker

NAMES = {"learning_rate": "lr", "num_input_tokens_seen": "tokens"}
SHOWN = ("loss", "eval_loss", "rewards/margins", "lr", "grad_norm", "tokens", "tgs", "mfu")
DROPPED = {"num_tokens", "eval_num_tokens"}
"""TRL's token counter starts at 0 again after a resume; `tokens` goes on."""


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
