"""Which processes belong to a run, and how to end them without ever touching another (S8).

A process is named by host, boot id, pid, start time and uid; a pid alone is reused. Nothing is found or ended by name.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from functools import cache
from pathlib import Path
from typing import Any

import psutil

import posttrain_root
from utils.errors import UserError
from utils.runs.commit import read_json, replace_json

_CLOCK_SLACK_S = 0.05
_OWN_END_S = 2.0
IDENTITY = {"host", "boot_id", "pid", "start_time", "uid"}
"""What tells a process apart from any other."""


@cache
def boot_id() -> str:
    """Return this boot's id; processes of another boot are dead."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"boot-{int(psutil.boot_time())}"


def identity(process: psutil.Process, role: str) -> dict[str, Any]:
    """Describe a live process so that it can be told apart from any later owner of its pid."""
    return {
        "role": role,
        "host": socket.gethostname(),
        "boot_id": boot_id(),
        "pid": process.pid,
        "start_time": _start_ticks(process.pid),
        "uid": process.uids().real,
        "pgid": os.getpgid(process.pid),
        "command": " ".join(process.cmdline()[:4])[:200],
    }


def _start_ticks(pid: int) -> int | float:
    """Return the kernel's start time of a process in clock ticks since boot: no clock jump moves it (F24)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return psutil.Process(pid).create_time()
    return int(stat.rpartition(")")[2].split()[19])


def find(entry: dict[str, Any]) -> psutil.Process | None:
    """Return the very process that an entry describes, if it lives on this host."""
    if not entry.keys() >= IDENTITY or entry["host"] != socket.gethostname() or entry["boot_id"] != boot_id():
        return None
    try:
        process = psutil.Process(entry["pid"])
        same = abs(_start_ticks(entry["pid"]) - entry["start_time"]) <= _CLOCK_SLACK_S
        if same and process.uids().real == entry["uid"] and process.status() != psutil.STATUS_ZOMBIE:
            return process
    except (psutil.Error, OSError):
        return None
    return None


def provably_dead(entry: dict[str, Any]) -> bool:
    """Tell whether the process is certainly gone: only this host can say so."""
    return entry["host"] == socket.gethostname() and find(entry) is None


class ProcessRecord:
    """`run/processes.json`: the driver, and every process it started."""

    def __init__(self, root: Path) -> None:
        self.path = root / "run" / "processes.json"
        self._entries: dict[int, dict[str, Any]] = {}
        self._extra: dict[str, Any] = {}

    def start(self) -> None:
        """Record the driver itself."""
        me = psutil.Process()
        self._entries = {me.pid: {**identity(me, "driver"), "project": str(posttrain_root.ROOT)}}
        self._write()

    def note(self, **extra: Any) -> None:
        """Keep a fact beside the processes, such as Ray's temporary directory."""
        self._extra.update(extra)
        self._write()

    def add_children(self, role: str) -> None:
        """Record every living descendant of the driver that is not recorded yet."""
        before = len(self._entries)
        for child in psutil.Process().children(recursive=True):
            if child.pid not in self._entries:
                with contextlib.suppress(psutil.Error, OSError):
                    self._entries[child.pid] = identity(child, role)
        if len(self._entries) != before:
            self._write()

    def _write(self) -> None:
        replace_json(self.path, {"processes": list(self._entries.values()), **self._extra})


def read_record(root: Path) -> dict[str, Any]:
    """Return a run's process record; empty when it has none, or a damaged one, which proves nothing."""
    nothing: dict[str, Any] = {"processes": []}
    try:
        record = read_json(root / "run" / "processes.json")
    except UserError:
        return nothing
    return record if isinstance(record, dict) and isinstance(record.get("processes"), list) else nothing


def driver_of(root: Path) -> dict[str, Any] | None:
    """Return the entry of the run's driver."""
    return next((entry for entry in read_record(root)["processes"] if entry.get("role") == "driver"), None)


def runs_alive() -> list[Path]:
    """Return the directories of this project's live runs on this host: this user's, started from this checkout.

    A driver holds `run/owner.lock` open as long as it lives; the open file leads to the run's own record, and only
    the record decides. A process that merely has our name leads nowhere.
    """
    found: set[Path] = set()
    for process in psutil.process_iter(["uids"]):
        uids = process.info["uids"]
        if uids is None or uids.real != os.getuid():
            continue
        for root in _locks_held(process.pid):
            driver = driver_of(root)
            ours = driver is not None and driver.get("project") == str(posttrain_root.ROOT)
            if ours and driver and driver["pid"] == process.pid and find(driver):
                found.add(root)
    return sorted(found)


def _locks_held(pid: int) -> list[Path]:
    held = []
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                target = descriptor.readlink()
                if target.name == "owner.lock" and target.parent.name == "run":
                    held.append(target.parent.parent)
    return held


def stop_run(root: Path, *, grace_s: float) -> dict[str, Any]:
    """Ask a run's driver to end, then end what is left of the run.

    Args:
        root: the run directory.
        grace_s: seconds the driver has to commit what it is doing.

    Returns:
        `{"run", "driver": "stopped" | "killed" | "not running", "orphans": number ended}`.

    """
    outcome = "not running"
    driver = driver_of(root)
    process = find(driver) if driver else None
    if process is not None:
        process.send_signal(signal.SIGTERM)
        outcome = "stopped" if _gone(process, grace_s) else "killed"
        if outcome == "killed":
            process.kill()
            _gone(process, 5)
    return {"run": str(root), "driver": outcome, "orphans": end_orphans(root)}


def end_orphans(root: Path, *, wait_s: float = 5) -> int:
    """End recorded processes that outlive their driver; return how many there were.

    Most end by themselves a moment after it, and are not counted.
    """
    entries = [entry for entry in read_record(root)["processes"] if entry.get("role") != "driver"]
    _, orphans = psutil.wait_procs([process for entry in entries if (process := find(entry))], timeout=_OWN_END_S)
    for process in orphans:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, stubborn = psutil.wait_procs(orphans, timeout=wait_s)
    for process in stubborn:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(stubborn, timeout=wait_s)
    return len(orphans)


def _gone(process: psutil.Process, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.1)
    return False
