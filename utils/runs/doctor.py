"""`posttrain doctor`: what this machine can carry, before a run finds out."""

from __future__ import annotations

import importlib.metadata
import os
import resource
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from utils.errors import PosttrainError
from utils.execution.executor import cpu_count
from utils.runs.directory import probe_file_system
from utils.runs.doctor_training import Check, training_checks
from utils.runs.manifest import LIBRARIES

_MIN_FREE_GIB = 2
_MIN_FILES = 1024
_MIN_SHM_GIB = 1
_RAY_WITH_TOKENS = (2, 54)


def checks(directory: Path) -> Iterator[Check]:
    """Yield `(what, passed, detail)` for the machine and the directory that runs would use; passed None: not here."""
    yield "python", sys.version_info[:2] == (3, 11), sys.version.split()[0]
    yield from _libraries()
    yield "cores", cpu_count() >= 1, str(cpu_count())
    memory = psutil.virtual_memory()
    yield "memory", memory.available > 2 << 30, f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free"
    free = shutil.disk_usage(directory).free / 2**30
    yield "disk", free > _MIN_FREE_GIB, f"{free:.1f} GiB free at {directory}"
    yield _file_system(directory)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield "open files", soft >= _MIN_FILES, f"limit {soft}; ulimit -n 65536 raises it"
    if Path("/dev/shm").is_dir():  # noqa: S108
        shm = shutil.disk_usage("/dev/shm").free / 2**30  # noqa: S108
        more = "" if shm > _MIN_SHM_GIB else "; in a container: --shm-size=8g"
        yield "shared memory", shm > _MIN_SHM_GIB, f"{shm:.1f} GiB free at /dev/shm{more}"
    else:
        yield "shared memory", None, "no /dev/shm: NCCL and data loaders of several processes need it"
    yield from training_checks(directory)


def _libraries() -> Iterator[Check]:
    for library in LIBRARIES:
        try:
            version = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            yield library, False, "not installed: bash setup.sh"
            continue
        enough = library != "ray" or tuple(map(int, version.split(".")[:2])) >= _RAY_WITH_TOKENS
        yield library, enough, version if enough else f"{version}, but token authentication needs 2.54"


def _file_system(directory: Path) -> Check:
    if not os.access(directory, os.W_OK):
        return "run directories", False, f"{directory} is not writable"
    try:
        probe_file_system(directory)
    except PosttrainError as error:
        return "run directories", False, str(error)
    return "run directories", True, f"link and rename work at {directory}"
