"""`posttrain status | resume | stop`: what runs there are, how they stand, and their end."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from utils.errors import UserError
from utils.runs.commit import read_json
from utils.runs.config import output_override
from utils.runs.processes import driver_of, find, runs_alive, stop_run

RESUMABLE = {"interrupted", "failed", "killed"}


def find_runs(where: list[Path]) -> list[Path]:
    """Return the run directories at or below the given paths, by path."""
    found = {path.parent.parent for root in where for path in [*root.rglob("run/state.json")] if root.is_dir()}
    return sorted(found)


def _state(root: Path) -> dict[str, Any]:
    """Return what a run last said of itself; a damaged file says nothing, and must not hide the other runs."""
    try:
        state = read_json(root / "run" / "state.json")
    except UserError:
        state = None
    return {"verb": "?", "state": "unknown", **(state if isinstance(state, dict) else {})}


def status_of(root: Path) -> dict[str, Any]:
    """Return how a run stands: `{"run", "verb", "state", "units", "rows", "age_s"}`.

    A run that says `running` whose driver is gone was killed.
    """
    state = _state(root)
    driver = driver_of(root)
    manifest = read_json(root / "manifest.json") or {}
    if state["state"] == "running" and not (driver and find(driver)):
        state["state"] = "done" if manifest else "killed"
    age = time.time() - (root / "run" / "state.json").stat().st_mtime
    return {
        "run": os.path.relpath(root),
        "verb": state["verb"],
        "state": state["state"],
        "units": len(list((root / "run" / "reports").glob("*.json"))),
        "rows": manifest.get("counts", {}).get("in"),
        "age_s": round(age),
    }


def resume_arguments(root: Path) -> tuple[str, list[str]]:
    """Return the verb and arguments that continue a run, and go to the folder where it was started.

    Raises:
        UserError: there is no run there.

    """
    command = read_json(root / "run" / "command.json")
    if command is None:
        found = find_runs([root.parent])
        mend = f"runs near it: {', '.join(map(str, found[:5]))}" if found else "give a run directory"
        raise UserError("no run that could be resumed", where=str(root), mend=mend)
    root = root.resolve()
    if Path(command.get("cwd", "")).is_dir():
        os.chdir(command.get("cwd", "."))
    # The resolved config is JSON, which is YAML too; `output` is set again in case the directory was moved.
    return command["verb"], ["--config", str(root / "run" / "config.json"), "--set", output_override(root)]


def stop_all(roots: list[Path], *, grace_s: float) -> list[dict[str, Any]]:
    """Stop the given runs, or all of this user's live runs on this host."""
    for root in roots:
        if driver_of(root) is None:
            raise UserError("no run there", where=str(root), mend="posttrain status lists runs")
    return [stop_run(root, grace_s=grace_s) for root in _inner_last(roots or runs_alive())]


def _inner_last(roots: list[Path]) -> list[Path]:
    """Order runs so that a driver is stopped before the steps it started: it passes the signal on itself."""
    return sorted({root.resolve() for root in roots}, key=lambda root: len(root.parts))
