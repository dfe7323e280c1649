"""Retries are ours: the same count and the same message under every executor."""

from __future__ import annotations

import logging
from typing import Any

from utils.errors import StageFailedError


class Attempts:
    """Tasks that wait, and how often each was tried."""

    def __init__(self, tasks: list[dict[str, Any]], limit: int, log: logging.Logger) -> None:
        self.waiting = [{**task, "attempt": 0} for task in reversed(tasks)]
        self._limit = limit
        self._log = log

    def take(self) -> dict[str, Any]:
        """Return the next task to run."""
        return self.waiting.pop()

    def failed(self, task: dict[str, Any], error: BaseException) -> None:
        """Put a failed task back, or give up.

        Raises:
            StageFailedError: it failed in every attempt.

        """
        tried = task["attempt"] + 1
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        if tried >= self._limit:
            what = f"unit {task['unit']} failed {tried} times, last by {reason}"
            raise StageFailedError(what, where=task["root"], mend=f"posttrain resume {task['root']}") from error
        self._log.warning("unit %s failed (%s); trying again, %d of %d", task["unit"], reason, tried + 1, self._limit)
        self.waiting.append({**task, "attempt": tried})
