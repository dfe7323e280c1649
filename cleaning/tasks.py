"""What every task of a cleaning run has in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from utils.runs.commit import Unit


def unit_of(task: dict[str, Any]) -> Unit:
    """Return the unit that a task commits."""
    return Unit(Path(task["root"]), task["unit"], task["token"], task.get("attempt", 0))
