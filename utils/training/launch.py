"""How many processes train together, who starts them, and what one of them does first and last.

The driver, `posttrain sft`, owns the run directory from beginning to end: the ranks come and go with each attempt, but
nobody may take the directory between two attempts, and `posttrain stop`, `status` and `resume` deal with one process.
Rank 0 writes the run's units under the driver's ownership and hands back its counts. Ranks that somebody else started
(torchrun by hand, srun) find no driver: there rank 0 owns the directory.
"""

from __future__ import annotations

import math
import os
import shlex
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.errors import PosttrainError, UserError
from utils.runs.commit import disk_full_is_retryable, replace_json
from utils.runs.logs import open_log, redact
from utils.runs.stage import ATTEMPT_VARIABLE, complain
from utils.training.config import TrainingConfig

if TYPE_CHECKING:
    from utils.runs.directory import Run
    from utils.runs.stage import Stage, StageModule

STOP = "stop"
"""A file in that folder: the ranks are to stop. For those that get no signals, in a thread of Ray's worker."""

_PATIENCE = timedelta(hours=12)
"""Of the process group. Ranks wait while rank 0 makes the shards; a hang in training is the watchdog's to find."""


def world_size() -> int:
    """Count the processes of this training run, as torchrun says."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Return this process's number among them."""
    return int(os.environ.get("RANK") or 0)


def ranks_are_here(config: TrainingConfig) -> bool:
    """Whether this machine trains: a login node or the head of a cluster may lack the GPUs of those that do."""
    launch = config.launch
    return "RANK" in os.environ or launch.kind == "local" or (launch.kind == "torchrun" and not launch.hostfile)


def planned_processes(config: TrainingConfig) -> int:
    """Count the processes that train or will train: those that run already, else those that the config asks for."""
    return world_size() if "WORLD_SIZE" in os.environ else _asked(config)


def _asked(config: TrainingConfig) -> int:
    launch = config.launch
    if launch.kind == "torchrun" and launch.hostfile:
        from utils.training.launchers.hosts import read_hostfile

        return len(read_hostfile(launch.hostfile, launch.processes)) * launch.processes
    if launch.kind == "slurm":
        return launch.nodes * launch.processes
    return 1 if launch.kind == "local" else launch.processes


def rows_per_step(config: TrainingConfig) -> int:
    """Count the rows of one optimizer step, over all processes."""
    return config.batch_size * config.gradient_accumulation * planned_processes(config)


def steps(config: TrainingConfig, rows: int) -> int:
    """Count the optimizer steps, as the trainer does: the last step of an epoch may be a short one."""
    return config.max_steps or math.ceil(math.ceil(rows / rows_per_step(config)) * config.epochs)


def work(stage: Stage, module: StageModule, run: Run, config: TrainingConfig) -> dict[str, Any]:
    """Do the work in this process, or have the launcher that the config names start those that do it.

    Returns:
        The counts of the work, from wherever it was done.

    """
    if "RANK" in os.environ or (config.launch.kind == "local" and not config.launch.restarts):
        ours = join(stage, run, config)
        counts = module.work(run, config)
        if ours:
            _part()
        return counts
    from utils.training.launchers import start

    return start(stage, run, config)


def _part() -> None:
    """Leave the process group after the last work: a process that ends inside of it may abort in gloo's threads."""
    import torch

    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def join(stage: Stage, run: Run, config: TrainingConfig) -> bool:
    """Meet the other ranks and agree that all are the same; alone, do nothing.

    Returns:
        Whether the process group was opened here, and is ours to leave.

    Raises:
        UserError: on every rank, when one differs, or the number of them is not what the config asks for.

    """
    launch = config.launch
    if "RANK" in os.environ and launch.kind != "local":
        asked = _asked(config)
        if asked != world_size():
            what = f"{world_size()} processes were started, launch asks for {asked}"
            raise UserError(what, mend="start as many, or set launch.kind: local and let the launcher say")
    if world_size() == 1:
        return False
    import torch

    from utils.training.agreement import agree

    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    ours = not torch.distributed.is_initialized()  # Ray Train has done it
    if ours:
        backend = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"
        torch.distributed.init_process_group(backend, timeout=_PATIENCE)
    agree(run, config, stage.module)
    return ours


def work_as_rank(stage: Stage, module: StageModule, run: Run, config: TrainingConfig) -> int:
    """Work as a rank of our own launcher, and leave the outcome where the driver looks for it; return the exit code.

    An error of ours is reported with what it says: the driver ends with it. What else ends a rank, a lost peer above
    all, is reported by its name only: the driver starts all ranks again.
    """
    attempt = Path(os.environ[ATTEMPT_VARIABLE])
    _speak_into(attempt / f"rank-{rank()}.log")
    report = attempt / f"rank-{rank()}.json"
    report.unlink(missing_ok=True)  # of the same rank before Ray retried it
    if threading.current_thread() is not threading.main_thread():
        threading.Thread(target=_stop_when_asked, args=(run, attempt / STOP), daemon=True).start()
    if run.leader:
        run.log = open_log(stage.verb, run.inner / "log.txt", quiet=run.quiet)
    try:
        with disk_full_is_retryable(run.path):
            counts = work(stage, module, run, config)
            run.stop.check()
    except PosttrainError as error:
        said = {"what": redact(error.what), "where": error.where, "mend": error.mend}
        replace_json(report, {"code": error.exit_code, "error": said})
        return complain(stage.verb, error)
    except BaseException as error:
        replace_json(report, {"code": 1, "defect": redact(f"{type(error).__name__}: {error}")[:500]})
        raise
    replace_json(report, {"code": 0, "counts": counts if run.leader else None})
    return 0


def _speak_into(log: Path) -> None:
    """Have all that this process says, C++ included, in a log of its own: the driver shows the run's log only."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)


def _stop_when_asked(run: Run, file: Path) -> None:
    while not file.exists():
        time.sleep(0.5)
    run.stop.requested = True


def plan(stage: Stage, config: TrainingConfig) -> dict[str, Any]:
    """Return what `--dry-run` adds for a training run: processes, the exact commands, memory per GPU."""
    from utils.models.locate import resolve_model
    from utils.training.estimate import memory
    from utils.training.launchers import commands

    shown = [shlex.join(command) for command in commands(stage, config)]
    rows = rows_per_step(config)
    said = {"processes": planned_processes(config), "rows_per_step": rows, "commands": shown}
    return {"launch": said, "memory": memory(config, resolve_model(config.model))}
