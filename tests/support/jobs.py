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


def hold(task):
    """Use a thing that is loaded once per process; tell by whom, where, and when."""
    from data_pipeline.attributes.scoring_models import held

    begun = time.time()
    loaded = held(_load, Path(task["root"]))
    if task.get("die_until", 0) > task["attempt"]:
        os._exit(9)
    time.sleep(0.2)
    report = {"pid": os.getpid(), "loaded": loaded, "gpu": os.environ.get("CUDA_VISIBLE_DEVICES")}
    with Unit(Path(task["root"]), task["unit"], task["token"], task["attempt"]) as unit:
        return unit.commit({**report, "begun": begun, "ended": time.time()})


def _load(root):
    marker = root / f"loaded-{os.getpid()}"
    marker.write_text(marker.read_text() + "x" if marker.exists() else "x")
    return os.getpid()
