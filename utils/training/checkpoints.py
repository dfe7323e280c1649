"""Checkpoints that are whole and ours.

A checkpoint counts when `complete.json` is in it, written last, and every file that it lists has the hash that it
lists. Anything else is a write that a crash cut short, or a file that somebody put there: it is never loaded.

This is what guards pickles (S1). transformers loads its own `.pt` files weights-only; DeepSpeed loads the states below
`global_step*/` as full pickles, so these are loaded only from a checkpoint that was sealed here and has not changed by
a byte. Who can write to the run directory can write a seal too: the directory is trusted as the code is.
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
CARRIED = "care"
"""Folder of what transformers' checkpoint leaves out (carried.py)."""

NAME = re.compile(r"checkpoint-(\d+)")


def seal(checkpoint: Path, *, step: int, world_size: int, zero: int | None = None) -> None:
    """Declare a checkpoint complete: hash what is in it, and say so in a file written last.

    Args:
        checkpoint: its folder.
        step: optimizer steps it is of.
        world_size: how many ranks wrote into it.
        zero: DeepSpeed's ZeRO stage; None without DeepSpeed.

    Raises:
        UserError: a rank's part is missing; its files went to a disk that is not shared.

    """
    if lacking := missing_parts(checkpoint, world_size, zero):
        raise UserError(
            f"the part of a rank is missing: {lacking[0]}",
            where=str(checkpoint),
            mend="put output on a file system that all machines share",
        )
    files = {path.relative_to(checkpoint).as_posix(): sha256_file(path) for path in _files(checkpoint)}
    replace_json(checkpoint / COMPLETE, {"step": step, "world_size": world_size, "files": files})


def missing_parts(checkpoint: Path, world_size: int, zero: int | None) -> list[str]:
    """Return what every rank should have written and did not: its random state, `care/`, its share of the optimizer."""
    ranks = range(world_size)
    wanted = [f"rng_state_{rank}.pth" for rank in ranks] if world_size > 1 else ["rng_state.pth"]
    wanted += [f"{CARRIED}/rank-{rank}.json" for rank in ranks]
    if zero:
        wanted += [f"global_step*/*zero_pp_rank_{rank}_mp_rank_00_optim_states.pt" for rank in ranks]
    if zero == 3:
        wanted += [f"global_step*/zero_pp_rank_{rank}_mp_rank_00_model_states.pt" for rank in ranks]
    elif zero is not None:
        wanted.append("global_step*/mp_rank_00_model_states.pt")
    return [pattern for pattern in wanted if not any(checkpoint.glob(pattern))]


def keep_newest(folder: Path, count: int, best: int | None = None) -> None:
    """Remove all checkpoints but the newest ones and the best one, and name these: `best` and `final` are links.

    Args:
        folder: with `checkpoint-N`.
        count: how many of the newest to keep.
        best: the step of the best one, kept beside them.

    """
    found = _newest_first(folder)
    for checkpoint in found[count:]:
        if checkpoint.name != f"checkpoint-{best}":
            shutil.rmtree(checkpoint)
    if best is not None and (folder / f"checkpoint-{best}").is_dir():
        point(folder / "best", f"checkpoint-{best}")


def point(link: Path, name: str) -> None:
    """Make a link to a neighbour, or turn it to another one, in one step."""
    temporary = link.with_name(f"{link.name}.tmp")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(name)
    temporary.replace(link)


def flaw(checkpoint: Path) -> str | None:
    """Say what is wrong with a checkpoint; None when it is complete."""
    try:
        complete: Any = read_json(checkpoint / COMPLETE)
    except UserError:
        return f"{COMPLETE} is cut short"
    if complete is None:
        return f"{COMPLETE} is missing"
    if not isinstance(complete, dict) or not {"step", "world_size", "files"} <= complete.keys():
        return f"{COMPLETE} has changed"
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
            break
        shutil.rmtree(checkpoint)
    for name in ("best", "final"):
        if (folder / name).is_symlink() and not (folder / name).exists():
            (folder / name).unlink()


def _newest_first(folder: Path) -> list[Path]:
    found = [(int(name[1]), path) for path in folder.glob("checkpoint-*") if (name := NAME.fullmatch(path.name))]
    return [path for _, path in sorted(found, reverse=True)]


def _files(checkpoint: Path) -> list[Path]:
    return sorted(path for path in checkpoint.rglob("*") if path.is_file() and path.name != COMPLETE)
