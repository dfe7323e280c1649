"""Is there room on the disk? Asked before work starts, because a full disk is found late (F4)."""

from __future__ import annotations

import shutil
from pathlib import Path

from utils.errors import RetryLaterError


def free_bytes(path: Path) -> int:
    """Return what this user may still write on the file system of a path."""
    return shutil.disk_usage(path).free


def check_space(run: Path, needed: int, there: int) -> None:
    """Compare what a run will write with what is free.

    Args:
        run: its directory.
        needed: bytes of the whole run.
        there: bytes of it that are committed already.

    Raises:
        RetryLaterError: it would not fit (exit code 75).

    """
    more, free = max(0, needed - there), free_bytes(run)
    if more > free:
        what = f"needs about {more / 1e6:,.1f} MB of disk, {free / 1e6:,.1f} MB are free"
        raise RetryLaterError(what, where=str(run), mend="free space, then the same command; or another output")
