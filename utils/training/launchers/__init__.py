"""Who starts the processes of a training run: torchrun, Ray Train or Slurm. They decide where, never what."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.training.config import LocalLaunch, TorchrunLaunch, TrainingConfig

if TYPE_CHECKING:
    from utils.runs.directory import Run
    from utils.runs.stage import Stage


def start(stage: Stage, run: Run, config: TrainingConfig) -> dict[str, Any]:
    """Start the ranks as `config.launch` says and wait for them; return the counts of rank 0.

    Raises:
        PosttrainError: what ended the ranks.
        Submitted: the run is in Slurm's queue.

    """
    launch = config.launch
    if launch.kind == "slurm":
        from utils.training.launchers import slurm

        slurm.submit(stage.module, run, launch)
    if launch.kind == "ray":
        from utils.training.launchers import ray

        return ray.start(stage.module, run, launch)
    from utils.training.launchers import torchrun

    return torchrun.start(stage.module, run, config, launch if launch.kind == "torchrun" else _supervised(launch))


def _supervised(launch: LocalLaunch) -> TorchrunLaunch:
    """Return what `local` with restarts is: one process with a supervisor around it."""
    return TorchrunLaunch(kind="torchrun", restarts=launch.restarts)


def commands(stage: Stage, config: TrainingConfig) -> list[list[str]]:
    """Return the argument lists that start the ranks: one per host; of Slurm `sbatch`; of Ray what a worker does."""
    launch = config.launch
    if launch.kind == "slurm":
        from utils.training.launchers import slurm

        slurm.job_script(stage.module, config.output, launch)  # refuses what it would refuse
        return [slurm.sbatch_command(config.output)]
    if launch.kind == "ray" or (launch.kind == "local" and not launch.restarts):
        inner = Path(config.output).absolute() / "run"
        return [[sys.executable, "-P", "-m", stage.module, "--config", str(inner / "config.json")]]
    from utils.training.launchers import torchrun

    folder = Path(config.output).absolute() / "run" / "ranks" / "attempt-1"
    asked = launch if launch.kind == "torchrun" else _supervised(launch)
    return [node.command for node in torchrun.nodes(stage.module, config.output, asked, folder)]
