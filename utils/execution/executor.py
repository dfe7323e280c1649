"""Where tasks run. A job is a dotted function name, a task a small dict, a report a small dict: paths, never tables."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from utils.runs.config import ParallelConfig
from utils.runs.processes import ProcessRecord
from utils.runs.signals import StopFlag


@dataclass(frozen=True, slots=True)
class Done:
    """A task that has committed its unit, and its report."""

    task: dict[str, Any]
    report: dict[str, Any]


class Executor(Protocol):
    """Runs jobs over tasks, a bounded number at a time."""

    def __enter__(self) -> Executor:
        """Start what the executor needs."""

    def __exit__(self, *_: object) -> None:
        """Stop what it started."""

    def map(self, jobs: Sequence[str], tasks: list[dict[str, Any]]) -> Iterator[Done]:
        """Yield reports as tasks finish; start no new task once a stop is requested.

        Args:
            jobs: what to run each task with, and in its place once a task failed `attempts` times (see `Attempts`).
            tasks: each is handed to the job with its `attempt`, and with `given_up`, why each former job was left.

        """

    def describe(self) -> dict[str, Any]:
        """Return `{"executor", "workers": ids that did work, "tasks": number run, …}` for the manifest."""


def thread_environment(cpus: int) -> dict[str, str]:
    """Return the environment that holds every library of a worker to its cores. Set before the worker imports any."""
    names = ("OMP", "MKL", "OPENBLAS", "NUMBA", "RAYON")
    threads = {f"{name}_NUM_THREADS": str(cpus) for name in names}
    return {**threads, "POLARS_MAX_THREADS": str(cpus), "TOKENIZERS_PARALLELISM": "false"}


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables for the processes that are started inside."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def cpu_count() -> int:
    """Return the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def open_executor(config: ParallelConfig, stop: StopFlag, processes: ProcessRecord, log: logging.Logger) -> Executor:
    """Return the configured executor, not yet started."""
    if config.executor == "ray":
        from utils.execution.ray import RayExecutor

        return RayExecutor(config, stop, processes, log)
    from utils.execution.local import LocalExecutor

    return LocalExecutor(config, stop, processes, log)
