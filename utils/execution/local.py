"""Tasks in spawned processes on this machine."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import posttrain_root
from utils.errors import PosttrainError
from utils.execution.executor import Done, cpu_count, environment, thread_environment
from utils.execution.retry import Attempts, fault_of
from utils.runs.config import ParallelConfig
from utils.runs.processes import ProcessRecord
from utils.runs.signals import StopFlag


def _start_worker(driver: int) -> None:
    """Leave signals to the driver, and end when it dies: nobody would take the result."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if os.getppid() == driver else signal.SIG_DFL)
    os.setpgid(0, 0)

    def watch() -> None:
        while os.getppid() == driver:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _call(job: str, task: dict[str, Any]) -> tuple[dict[str, Any], str]:
    return posttrain_root.call(job, task), f"pid-{os.getpid()}"


_Report = Future[tuple[dict[str, Any], str]]


class _Place:
    """One worker at a time: its death is known for whose it is, and takes no other task along."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin anew; the worker itself starts with the first task."""
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, context, initializer=_start_worker, initargs=(os.getpid(),))

    def submit(self, job: str, task: dict[str, Any]) -> _Report:
        """Submit a task, to a new worker when the last one died while it was idle."""
        try:
            return self._pool.submit(_call, job, task)
        except BrokenProcessPool:
            self.close(wait=False)
            self.restart()
            return self._pool.submit(_call, job, task)

    def close(self, *, wait: bool) -> None:
        """Stop the worker."""
        self._pool.shutdown(wait=wait, cancel_futures=True)


class LocalExecutor:
    """Spawned workers, never forked: polars, numba and torch do not survive a fork."""

    def __init__(self, config: ParallelConfig, stop: StopFlag, processes: ProcessRecord, log: logging.Logger) -> None:
        self._config = config
        self._stop = stop
        self._processes = processes
        self._log = log
        self._cpus = config.resources.cpus
        self._size = config.workers or max(1, cpu_count() // self._cpus)
        self._workers: set[str] = set()
        self._tasks = 0
        self._idle: list[_Place] = []

    def __enter__(self) -> LocalExecutor:
        """Make a place for each worker."""
        self._idle = [_Place() for _ in range(self._size)]
        return self

    def __exit__(self, *_: object) -> None:
        """Let running tasks finish, then stop the workers."""
        for place in self._idle:
            place.close(wait=True)
        self._idle = []

    def map(self, jobs: Sequence[str], tasks: list[dict[str, Any]]) -> Iterator[Done]:
        """Yield reports as tasks finish."""
        attempts = Attempts(jobs, tasks, self._config.attempts, self._log)
        running: dict[_Report, tuple[dict[str, Any], _Place]] = {}
        try:
            while running or attempts.waiting:
                while attempts.waiting and self._idle and not self._stop.requested:
                    job, task = attempts.take()
                    place = self._idle.pop()
                    with environment(thread_environment(self._cpus)):  # a worker that this starts inherits them
                        running[place.submit(job, task)] = task, place
                self._processes.add_children("worker")
                if not running:
                    return
                finished, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in finished:
                    task, place = running.pop(future)
                    self._idle.append(place)
                    yield from self._settle(future, task, place, attempts)
        finally:
            self._idle += [place for _, place in running.values()]

    def _settle(self, future: _Report, task: dict[str, Any], place: _Place, attempts: Attempts) -> Iterator[Done]:
        try:
            report, worker = future.result()
        except PosttrainError:
            raise
        except BrokenProcessPool as error:
            place.close(wait=False)
            place.restart()
            attempts.failed(task, error, "worker")
        except Exception as error:
            attempts.failed(task, error, fault_of(error))
        else:
            self._workers.add(worker)
            self._tasks += 1
            yield Done(task, report)

    def describe(self) -> dict[str, Any]:
        """Return what the manifest says of the execution."""
        return {
            "executor": "local",
            "workers": sorted(self._workers),
            "tasks": self._tasks,
            "cpus_per_task": self._cpus,
        }
