"""Tasks in spawned processes on this machine."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import posttrain_root
from utils.errors import PosttrainError
from utils.execution.executor import Done, cpu_count, environment, thread_environment
from utils.execution.retry import Attempts
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


class LocalExecutor:
    """A pool of spawned workers, never forked: polars, numba and torch do not survive a fork."""

    def __init__(self, config: ParallelConfig, stop: StopFlag, processes: ProcessRecord, log: logging.Logger) -> None:
        self._config = config
        self._stop = stop
        self._processes = processes
        self._log = log
        self._cpus = config.resources.cpus
        self._size = config.workers or max(1, cpu_count() // self._cpus)
        self._workers: set[str] = set()
        self._tasks = 0
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> LocalExecutor:
        """Start the pool."""
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let running tasks finish, then stop the workers."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(self._size, context, initializer=_start_worker, initargs=(os.getpid(),))

    def _submit(self, job: str, task: dict[str, Any]) -> Future[tuple[dict[str, Any], str]]:
        """Submit a task; a worker that this starts inherits the thread counts."""
        if self._pool is None:
            raise RuntimeError("the executor is not open")
        with environment(thread_environment(self._cpus)):
            return self._pool.submit(_call, job, task)

    def _submit_anew(self, job: str, task: dict[str, Any]) -> Future[tuple[dict[str, Any], str]]:
        """Submit a task, to a new pool when a worker died while it was idle."""
        try:
            return self._submit(job, task)
        except BrokenProcessPool:
            self._restart()
            return self._submit(job, task)

    def map(self, job: str, tasks: list[dict[str, Any]]) -> Iterator[Done]:
        """Yield reports as tasks finish."""
        attempts = Attempts(tasks, self._config.attempts, self._log)
        running: dict[Future[tuple[dict[str, Any], str]], dict[str, Any]] = {}
        while running or attempts.waiting:
            while attempts.waiting and len(running) < self._size and not self._stop.requested:
                task = attempts.take()
                running[self._submit_anew(job, task)] = task
            self._processes.add_children("worker")
            if not running:
                return
            finished, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in finished:
                yield from self._settle(future, running.pop(future), attempts)

    def _settle(
        self, future: Future[tuple[dict[str, Any], str]], task: dict[str, Any], attempts: Attempts
    ) -> Iterator[Done]:
        try:
            report, worker = future.result()
        except PosttrainError:
            raise
        except BrokenProcessPool as error:
            self._restart()
            attempts.failed(task, error)
        except Exception as error:
            attempts.failed(task, error)
        else:
            self._workers.add(worker)
            self._tasks += 1
            yield Done(task, report)

    def _restart(self) -> None:
        """Replace a pool that lost a worker; its other tasks fail the same way and are tried again."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._start()

    def describe(self) -> dict[str, Any]:
        """Return what the manifest says of the execution."""
        return {
            "executor": "local",
            "workers": sorted(self._workers),
            "tasks": self._tasks,
            "cpus_per_task": self._cpus,
        }
