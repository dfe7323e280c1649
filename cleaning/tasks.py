"""What every task of a cleaning run has in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.runs.commit import Unit

if TYPE_CHECKING:
    from utils.data.partitions import Partition

PARTS = "run/work/second-pass"


def unit_of(task: dict[str, Any]) -> Unit:
    """Return the unit that a task commits."""
    return Unit(Path(task["root"]), task["unit"], task["token"], task.get("attempt", 0))


def tasks_for(partitions: Sequence[Partition], shared: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one task per partition."""
    return [{**shared, "unit": f"first-{p.name}", "name": p.name, "partition": asdict(p)} for p in partitions]


def part_name(task: dict[str, Any], what: str) -> str:
    """Return the name, below the run, of one of the files that pass 2 leaves of a partition."""
    parquet = what == "sample" or (task["partition"]["kind"] == "parquet" and what != "quarantine")
    return f"{PARTS}/{task['name']}.{what}.{'parquet' if parquet else 'jsonl'}"
