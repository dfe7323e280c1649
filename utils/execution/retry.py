"""Retries are ours: the same count and the same message under every executor."""

from __future__ import annotations

import errno
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from utils.errors import StageFailedError
from utils.runs.commit import refuse_full_disk

Fault = Literal["worker", "rows", "machine"]
"""Whose a failure is: the worker died (killed, out of memory), the job raised on its rows, or the machine is unfit."""


class Attempts:
    """Tasks that wait, and how often each was tried.

    Args:
        jobs: the job, then what to call for a task that failed `limit` times in the one before it.
        tasks: in order.
        limit: tries of a task in each job.
        log: told of every failure.

    """

    def __init__(self, jobs: Sequence[str], tasks: list[dict[str, Any]], limit: int, log: logging.Logger) -> None:
        self.waiting = [{**task, "attempt": 0} for task in reversed(tasks)]
        self._jobs = jobs
        self._limit = limit
        self._log = log

    def take(self) -> tuple[str, dict[str, Any]]:
        """Return the next task to run, and the job to run it with."""
        task = self.waiting.pop()
        return self._jobs[task["attempt"] // self._limit], task

    def failed(self, task: dict[str, Any], error: Exception, fault: Fault) -> None:
        """Put a failed task back, to be tried again or done by the next job, or end the run.

        A task whose worker died waits until the others are done: they may have needed the memory.

        Raises:
            StageFailedError: it failed in every attempt of every job, or the fault is the machine's, not the rows'.
            RetryLaterError: the disk is full; trying again would fill nothing but time.

        """
        refuse_full_disk(error, Path(task["root"]))
        tried = task["attempt"] + 1
        reason = "worker died" if fault == "worker" else f"{type(error).__name__}: {error}".splitlines()[0]
        unit, again = task["unit"], {**task, "attempt": tried}
        if tried % self._limit:
            count = tried % self._limit + 1
            self._log.warning("unit %s failed (%s); trying again, %d of %d", unit, reason, count, self._limit)
        elif tried < self._limit * len(self._jobs) and fault != "machine":
            said = f"given up after {self._limit} tries: {reason}"
            again["given_up"] = [*task.get("given_up", []), said]
            self._log.error("unit %s is %s", unit, said)
        else:
            what = f"unit {unit} failed {tried} times, last by {reason}"
            raise StageFailedError(what, where=task["root"], mend=f"posttrain resume {task['root']}") from error
        self.waiting.insert(0 if fault == "worker" else len(self.waiting), again)


def fault_of(error: Exception) -> Fault:
    """Tell whose fault it is that a job raised: the machine's when another one, or this one mended, would have done it.

    Out of memory is for the rows to answer: smaller ones would have passed.
    """
    missing = isinstance(error, ImportError)
    return "machine" if missing or (isinstance(error, OSError) and error.errno != errno.ENOMEM) else "rows"
