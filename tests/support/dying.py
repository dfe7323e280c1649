"""Jobs whose worker dies: `tests.support.dying:JOB` runs JOB, unless DYING says that this try is killed.

DYING is JSON: part of a unit's name ("" for all) → how many tries of it die, or `full`: it finds the disk full.
"""

import errno
import json
import os
import signal
from functools import partial

import posttrain_root


def __getattr__(job):
    if ":" not in job:
        raise AttributeError(job)
    return partial(_run, job)


def _run(job, task):
    for part, tries in json.loads(os.environ["DYING"]).items():
        if part not in task["unit"]:
            continue
        if tries == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if task["attempt"] < tries:
            os.kill(os.getpid(), signal.SIGKILL)
    return posttrain_root.call(job, task)
