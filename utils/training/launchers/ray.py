"""Ranks by Ray Train (`ray.train.torch.TorchTrainer`, v2), on a cluster that runs or on one of our own.

Ray places the workers, joins them in a process group and starts all of them again when one is lost (FailureConfig).
Checkpoints stay ours: a worker resumes from the newest complete one, whatever Ray knows of it. A worker trains in a
thread, where Python delivers no signals; a file in the attempt's folder asks it to stop.
"""

from __future__ import annotations

import functools
import importlib
import os
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import posttrain_root
from utils.execution.ray import RayExecutor
from utils.runs.commit import read_json
from utils.runs.config import ParallelConfig, Resources
from utils.runs.stage import ATTEMPT_VARIABLE, PARENT_VARIABLE, run_stage
from utils.training.config import RayLaunch
from utils.training.launch import STOP
from utils.training.launchers.supervisor import Echo, LostRanksError, given_up, new_attempt, outcome

if TYPE_CHECKING:
    from utils.runs.directory import Run

_POLL_S = 0.5


def start(module: str, run: Run, launch: RayLaunch) -> dict[str, Any]:
    """Train; return the counts of rank 0.

    Raises:
        PosttrainError: what a rank reported, or ranks were lost more often than `restarts`.

    """
    folder = new_attempt(run)
    needs = Resources(cpus=launch.cpus, gpus=launch.gpus)
    cluster = ParallelConfig(
        output=run.path, workers=launch.processes, resources=needs, ray_address=launch.address, executor="ray"
    )
    os.environ["RAY_TRAIN_ENABLE_PRINT_PATCH"] = "0"  # it takes what dill prints for itself to the log
    # Ray prints its own messages to stdout, which is for data; and in the main thread it would take Ctrl-C for itself
    with (
        (folder / "ray.log").open("a", encoding="utf-8") as said,
        redirect_stdout(said),
        RayExecutor(cluster, run.stop, run.processes, run.log),
        ThreadPoolExecutor(1) as pool,
    ):
        fitted = pool.submit(_fit, module, run, launch, folder)
        _watch(run, folder, fitted)
        failure = fitted.result()
    try:
        return outcome(run, folder, launch.processes, [1] if failure else [0])
    except LostRanksError as lost:
        raise given_up(run, folder, f"{lost}; Ray says {failure}") from lost


def _fit(module: str, run: Run, launch: RayLaunch, folder: Path) -> str:
    """Run the trainer to its end; return what Ray says of a failure, else nothing."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    task = {
        "module": module,
        "config": str((run.inner / "config.json").absolute()),
        "attempt": str(folder),
        "cwd": os.getcwd(),
    }
    # a function of a module that every worker finds, wherever it starts
    loop: Any = functools.partial(posttrain_root.ray_call, "utils.training.launchers.ray:rank_work")
    trainer = TorchTrainer(
        loop,
        train_loop_config=task,
        torch_config=TorchConfig(backend="nccl" if launch.gpus else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=launch.processes,
            use_gpu=launch.gpus > 0,
            resources_per_worker={"CPU": launch.cpus, **({"GPU": launch.gpus} if launch.gpus else {})},
        ),
        run_config=RunConfig(
            name="ray", storage_path=str(folder), failure_config=FailureConfig(max_failures=launch.restarts)
        ),
    )
    try:
        trainer.fit()
    except Exception as error:  # Ray's own kinds, TrainingFailedError and others; the ranks' reports say more
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
    return ""


def _watch(run: Run, folder: Path, fitted: Future[str]) -> None:
    """Hand a request to stop on to the ranks, record Ray's processes, and show what rank 0 logs, until all is done."""
    echo = Echo(run)
    while not fitted.done():
        if run.stop.requested:
            (folder / STOP).touch()
        run.processes.add_children("ray")
        echo.show()
        time.sleep(_POLL_S)
    echo.show()


def rank_work(task: dict[str, Any]) -> dict[str, Any]:
    """Work as one rank, in a worker of Ray Train; every rank reports to Ray once, at its end.

    Raises:
        RuntimeError: this rank ended with an error of ours. Ray must end the others, which wait for it, and starts
            all again; those see the report and leave at once. Or this machine does not see the run directory.

    """
    folder = Path(task["attempt"])
    if not folder.is_dir():
        raise RuntimeError(f"{folder} is not on {socket.gethostname()}: put output where all machines see it")
    reports = [read_json(path) for path in folder.glob("rank-*.json")]
    if any("error" in report and report["code"] < 128 for report in reports):
        return {}
    os.chdir(task["cwd"])
    os.environ.pop(PARENT_VARIABLE, None)  # the driver follows its parent; ours is Ray
    os.environ[ATTEMPT_VARIABLE] = task["attempt"]
    import ray.train

    code = run_stage(importlib.import_module(task["module"]).STAGE, ["--config", task["config"]])
    if 0 < code < 128:
        raise RuntimeError(f"rank {os.environ['RANK']} ended with exit code {code}")
    ray.train.report({"code": code})
    return {}
