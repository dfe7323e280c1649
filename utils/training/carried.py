"""What a checkpoint of transformers leaves out, and a resumed run needs to go on to the last digit.

The mean of a line of the log that began before the checkpoint, the running median of the losses, the bad steps in a
row: each rank writes its own into `care/` of the checkpoint, before it is sealed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from utils.training.checkpoints import CARRIED
from utils.training.launch import rank


class Carried(Protocol):
    """A part of a training that keeps something from step to step."""

    def carried(self) -> dict[str, Any]:
        """Return what it keeps, JSON-able."""
        ...

    def carry_on(self, kept: dict[str, Any]) -> None:
        """Go on with what it kept."""
        ...


class Carry(TrainerCallback):
    """Writes what its parts keep into every checkpoint, and gives it back to them when a run is resumed.

    Args:
        parts: asked in this order, their keys in one file.
        checkpoints: folder of `checkpoint-N`.

    """

    def __init__(self, parts: Sequence[Carried], checkpoints: Path) -> None:
        self.parts = parts
        self.checkpoints = checkpoints

    def _file(self, step: int) -> Path:
        return self.checkpoints / f"checkpoint-{step}" / CARRIED / f"rank-{rank()}.json"

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Give back; the trainer has just begun to count anew."""
        if state.global_step:
            kept = json.loads(self._file(state.global_step).read_text(encoding="utf-8"))
            for part in self.parts:
                part.carry_on(kept)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Write."""
        path = self._file(state.global_step)
        path.parent.mkdir(exist_ok=True)
        kept = {key: value for part in self.parts for key, value in part.carried().items()}
        path.write_text(json.dumps(kept), encoding="utf-8")
