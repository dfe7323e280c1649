"""Where our own folder is, and that it comes first: the ground under every other module.

Our packages have names that users' folders have too (`utils`, `tests`, `cli`). Python puts the working directory, or
PYTHONPATH, or (in a Ray worker) the driver's directory before ours, and a foreign `utils/` would win. Nobody else has
a module of this name; importing it puts our own folder first. Whatever we start, it comes before any other import of
ours: in `posttrain.py`, in the packages that launchers start by name, and in every worker, whose jobs are called here.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent


def pin_import_path() -> None:
    """Put our own folder first on the import path, whoever started this process."""
    root = str(ROOT)
    if sys.path[:1] != [root]:
        sys.path[:] = [root, *(entry for entry in sys.path if entry != root)]


pin_import_path()


def call(job: str, task: dict[str, Any]) -> dict[str, Any]:
    """Run one job in a worker process.

    Args:
        job: dotted name, `"cleaning.first_pass:first_pass"`.
        task: a small JSON-able dict, handed to the job.

    Returns:
        The job's report, a small JSON-able dict.

    """
    module, _, function = job.partition(":")
    report: dict[str, Any] = getattr(importlib.import_module(module), function)(task)
    return report


def ray_call(job: str, task: dict[str, Any]) -> tuple[dict[str, Any], str, str]:
    """Run one job in a Ray worker; return its report and the ids of the worker and its node."""
    import ray

    context = ray.get_runtime_context()
    return call(job, task), context.get_worker_id(), context.get_node_id()


class RayActor:
    """A worker that holds its GPUs, and the model that it loaded, from job to job."""

    def call(self, job: str, task: dict[str, Any]) -> tuple[dict[str, Any], str, str]:
        """Run one job, as `ray_call`."""
        return ray_call(job, task)
