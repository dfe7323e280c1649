"""Jobs for executor tests: what a stage's job does, without the stage."""

import errno
import os
import time
from pathlib import Path

from utils.errors import UserError
from utils.runs.commit import Unit


def write(task):
    """Commit a unit that says who wrote it."""
    if (wait := task.get("wait_s")) is not None:
        time.sleep(wait)
    if task.get("refuse"):
        raise UserError("a bad row", where=task["unit"], mend="mend it")
    if task.get("fail_until", 0) > task["attempt"]:
        raise ValueError(f"attempt {task['attempt']}")
    if task.get("no_device"):
        raise OSError(errno.EIO, "the disk is broken")
    if task.get("die_until", 0) > task["attempt"]:
        os._exit(9)
    with Unit(Path(task["root"]), task["unit"], task["token"], task["attempt"]) as unit:
        with unit.file(f"out/{task['unit']}.txt") as temporary:
            temporary.write_text(task["unit"])
        report = {"threads": os.environ.get("POLARS_MAX_THREADS"), "attempt": task["attempt"]}
        return unit.commit({**report, **{key: task[key] for key in ("given_up",) if key in task}})


def whose_utils(task):
    """Tell which folder's `utils` this process imports."""
    import utils

    return {"utils": utils.__file__, "unit": task["unit"]}
