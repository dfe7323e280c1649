"""The trainings of one run: one, or stages that continue one another, each with a schedule of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postraining_sft.config import SftConfig
from utils.runs.directory import Run


@dataclass(frozen=True, slots=True)
class Training:
    """One training of a run.

    Args:
        name: of the stage; None where the run has no stages.
        config: the run's, with what the stage says instead.
        last: its model is the run's model.
        before: names of the stages before it.

    """

    name: str | None
    config: SftConfig
    last: bool = True
    before: tuple[str, ...] = ()

    @property
    def rows(self) -> str:
        """Name of its token shards."""
        return self.name or "train"

    @property
    def unit(self) -> str:
        """Name of the unit that commits its model."""
        return "model" if self.last else f"model-{self.name}"

    @property
    def into(self) -> str:
        """Folder of its model, in the run directory."""
        return "model" if self.last else f"stages/{self.name}/model"

    def folder(self, run: Run) -> Path:
        """Return where its checkpoints and metrics are."""
        return run.inner / "stages" / self.name if self.name else run.inner

    def told(self, run: Run) -> list[Path]:
        """Return the folders whose metrics are committed with its model: the last has those of all stages."""
        earlier = [run.inner / "stages" / name for name in self.before] if self.last else []
        return [*earlier, self.folder(run)]


def trainings(config: SftConfig) -> list[Training]:
    """Return the trainings of a run, in their order."""
    if not config.stages:
        return [Training(None, config)]
    names = tuple(stage.name for stage in config.stages)
    return [
        Training(name, _of_stage(config, number), last=name == names[-1], before=names[:number])
        for number, name in enumerate(names)
    ]


def _of_stage(config: SftConfig, number: int) -> SftConfig:
    """Return the run's config with the stage's data, length and learning rate; its own `epochs` outdo `max_steps`."""
    stage = config.stages[number]
    said = {
        key: value for key in ("epochs", "max_steps", "learning_rate") if (value := getattr(stage, key)) is not None
    }
    if stage.epochs is not None:
        said.setdefault("max_steps", None)
    return config.model_copy(update={"data": stage.data, "stages": [], **said})


def summed(counts: list[dict[str, Any]]) -> dict[str, Any]:
    """Add up the counts of several trainings."""
    total: dict[str, Any] = {"in": 0, "kept": 0, "dropped": 0, "quarantined": 0}
    reasons: dict[str, int] = {}
    for one in counts:
        for key in total:
            total[key] += one[key]
        for reason, number in one["by_reason"].items():
            reasons[reason] = reasons.get(reason, 0) + number
    return {**total, "by_reason": dict(sorted(reasons.items()))}
