"""Checkpoints that are whole and ours.

A checkpoint counts when `complete.json` is in it, written last, and every file that it lists has the hash that it
lists. Anything else is a write that a crash cut short, or a file that somebody put there: it is never loaded.
"""

from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path
from typing import Any

from utils.errors import UserError
from utils.runs.commit import read_json, replace_json, sha256_file

COMPLETE = "complete.json"
NAME = re.compile(r"checkpoint-(\d+)")


def seal(checkpoint: Path, *, step: int, world_size: int) -> None:
    """Declare a checkpoint complete: hash what is in it, and say so in a file written last."""
    files = {path.relative_to(checkpoint).as_posix(): sha256_file(path) for path in _files(checkpoint)}
    replace_json(checkpoint / COMPLETE, {"step": step, "world_size": world_size, "files": files})


def flaw(checkpoint: Path) -> str | None:
    """Say what is wrong with a checkpoint; None when it is complete."""
    try:
        complete: dict[str, Any] | None = read_json(checkpoint / COMPLETE)
    except UserError:
        return f"{COMPLETE} is cut short"
    if complete is None:
        return f"{COMPLETE} is missing"
    present = {path.relative_to(checkpoint).as_posix(): path for path in _files(checkpoint)}
    if odd := sorted(present.keys() ^ complete["files"].keys()):
        return f"{odd[0]} is {'not listed' if odd[0] in present else 'missing'}"
    return next(
        (f"{name} has changed" for name, path in present.items() if sha256_file(path) != complete["files"][name]), None
    )


def newest_complete(folder: Path, *, world_size: int, log: logging.Logger | None = None) -> Path | None:
    """Find the newest complete checkpoint; one that is not complete is named in the log and passed over.

    Raises:
        UserError: it was written by another number of processes, so the batches would differ from here on.

    """
    for checkpoint in _newest_first(folder):
        if problem := flaw(checkpoint):
            if log:
                log.warning("%s is not complete (%s): taking the one before", checkpoint, problem)
            continue
        written_by = read_json(checkpoint / COMPLETE)["world_size"]
        if written_by != world_size:
            raise UserError(
                f"the checkpoint was written by {written_by} processes, now there are {world_size}",
                where=str(checkpoint),
                mend=f"start {written_by} processes, or give a new output directory",
            )
        return checkpoint
    return None


def discard_newer(folder: Path, than: Path | None) -> None:
    """Remove the incomplete checkpoints after the one that is resumed.

    They are computed again; left there, they would count as the newest ones when old checkpoints are rotated out.
    """
    for checkpoint in _newest_first(folder):
        if checkpoint == than:
            return
        shutil.rmtree(checkpoint)


def _newest_first(folder: Path) -> list[Path]:
    found = [(int(name[1]), path) for path in folder.glob("checkpoint-*") if (name := NAME.fullmatch(path.name))]
    return [path for _, path in sorted(found, reverse=True)]


def _files(checkpoint: Path) -> list[Path]:
    return sorted(path for path in checkpoint.rglob("*") if path.is_file() and path.name != COMPLETE)
