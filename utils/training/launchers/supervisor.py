"""Start the ranks, watch them, start them again from the newest complete checkpoint; a bounded number of times.

An attempt is all ranks from start to end. A lost rank ends the attempt: no rank is started beside old ones, because
gloo and NCCL keep the addresses of the dead. What an attempt came to is read from the reports of its ranks.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.errors import InterruptedRunError, PosttrainError, RetryLaterError, StageFailedError, UserError
from utils.runs.commit import read_json
from utils.runs.logs import redact
from utils.training.launchers.node import NOT_SHARED

if TYPE_CHECKING:
    from utils.runs.directory import Run

_POLL_S = 0.2
_AGAIN_S = 1.0
"""Between two attempts: time for GPUs and ports of the lost one to come free."""


@dataclass(frozen=True, slots=True)
class Node:
    """What is started on one machine; its output goes to `<name>.log` in the attempt's folder."""

    name: str
    host: str
    command: list[str]
    environment: dict[str, str]


class LostRanksError(Exception):
    """An attempt ended without an outcome: some process of it is gone."""


def supervise(run: Run, processes: int, restarts: int, nodes: Callable[[Path], list[Node]]) -> dict[str, Any]:
    """Run attempts until one comes to an outcome.

    Args:
        run: the driver's run.
        processes: how many ranks there are in all.
        restarts: how many attempts may follow the first.
        nodes: what to start for the attempt in this folder.

    Returns:
        The counts that rank 0 reported.

    Raises:
        PosttrainError: what a rank reported; InterruptedRunError when this run is asked to stop; StageFailedError when
            ranks were lost more often than `restarts`.

    """
    for left in range(restarts, -1, -1):
        folder = new_attempt(run)
        started = nodes(folder)
        codes = _attempt(run, folder, started)
        try:
            _check_shared(folder, started, codes)
            return outcome(run, folder, processes, codes)
        except LostRanksError as lost:
            if not left:
                raise given_up(run, folder, f"{lost}") from lost
            run.log.warning("%s: %s; all start again from the newest complete checkpoint", folder.name, lost)
            time.sleep(_AGAIN_S)
    raise AssertionError("restarts is not negative")


def given_up(run: Run, folder: Path, why: str) -> StageFailedError:
    """Return the error of a run whose ranks were lost more often than they may be."""
    mend = f"look at {folder}, then posttrain resume {run.path}; launch.restarts tries again by itself"
    return StageFailedError(why, where=folder.name, mend=mend)


def new_attempt(run: Run) -> Path:
    """Make the folder of the next attempt, `run/ranks/attempt-N`."""
    ranks = run.inner / "ranks"
    done = [int(found[1]) for path in ranks.glob("attempt-*") if (found := re.fullmatch(r"attempt-(\d+)", path.name))]
    folder = ranks / f"attempt-{max(done, default=0) + 1}"
    folder.mkdir(parents=True)
    return folder.absolute()


def _attempt(run: Run, folder: Path, nodes: list[Node]) -> list[int]:
    """Start the nodes and wait for the end of all; the first that fails, or a signal to us, ends the others."""
    echo = Echo(run)
    started: list[subprocess.Popen[bytes]] = []
    try:
        for node in nodes:
            started.append(_start(node, folder))
        while any(process.poll() is None for process in started):
            if run.stop.requested or any(process.poll() for process in started):
                _let_go(started)
            run.processes.add_children("rank")
            echo.show()
            time.sleep(_POLL_S)
    finally:
        _let_go(started)
    codes = [process.wait() for process in started]
    echo.show()
    return codes


def _start(node: Node, folder: Path) -> subprocess.Popen[bytes]:
    """Start a node in a session of its own: Ctrl-C is for us, and a rank would take a second signal as `at once`."""
    with (folder / f"{node.name}.log").open("ab") as log:
        try:
            return subprocess.Popen(
                node.command,
                env=node.environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise UserError(f"there is no {node.command[0]} here", mend="install OpenSSH's client") from error


def _let_go(started: list[subprocess.Popen[bytes]]) -> None:
    """Close the nodes' stdin: each ends its processes in an orderly way, then by force (node.py)."""
    for process in started:
        if process.stdin and not process.stdin.closed:
            process.stdin.close()


class Echo:
    """Shows what rank 0 writes to the run's log. All else that ranks and libraries say stays in their own logs."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._log = run.inner / "log.txt"
        self._shown = self._log.stat().st_size if self._log.exists() else 0

    def show(self) -> None:
        """Write the new lines to stderr; under --quiet only warnings and errors."""
        if not self._log.exists():
            return
        with self._log.open("rb") as stream:
            stream.seek(self._shown)
            whole, newline, _ = stream.read().rpartition(b"\n")
        self._shown += len(whole + newline)
        for line in whole.decode(errors="replace").splitlines(keepends=True) if newline else []:
            if not self._run.quiet or " INFO " not in line:
                sys.stderr.write(f"{line.rstrip()}\n")


def _check_shared(folder: Path, nodes: list[Node], codes: list[int]) -> None:
    blind = [node.host for node, code in zip(nodes, codes, strict=True) if code == NOT_SHARED]
    if blind:
        what = f"{', '.join(blind[:8])} does not see the run directory"
        mend = "put output on a file system that all machines share"
        raise UserError(what, where=str(folder), mend=mend)


def outcome(run: Run, folder: Path, processes: int, codes: list[int]) -> dict[str, Any]:
    """Return the counts of a finished attempt, from its ranks' reports.

    Raises:
        PosttrainError: an error that a rank reported; trying again would not help.
        LostRanksError: a rank is gone without a report, or was struck down by something that is none of our errors.

    """
    reports = {rank: read_json(folder / f"rank-{rank}.json") or {} for rank in range(processes)}
    errors = [report for report in reports.values() if "error" in report and report["code"] < 128]
    if errors:
        raise rebuilt(errors[0])
    if run.stop.requested or all(report.get("code", 0) >= 128 for report in reports.values()):
        said = reports[0].get("error", {}).get("what", "the ranks have stopped; what was sealed before stays")
        raise InterruptedRunError(said, mend=f"posttrain resume {run.path}", signum=run.stop.signum)
    lost = [rank for rank, report in reports.items() if "counts" not in report]
    if not lost and not any(codes):
        counts: dict[str, Any] = reports[0]["counts"]
        return counts
    silent = [rank for rank in lost if not reports[rank]]
    why = [f"rank {rank} {reports[rank].get('defect', 'stopped')[:160]}" for rank in lost[:8] if reports[rank]]
    if silent:
        named = f"rank{'s' if len(silent) > 1 else ''} {', '.join(map(str, silent[:8]))}"
        why = [f"{named} ended without a word", *why, *last_words(folder)]
    raise LostRanksError("; ".join(why) or f"the launcher ended with {codes}")


def last_words(folder: Path) -> list[str]:
    """Return the last line in the log of each node that has one: ssh, torchrun or an import that failed."""
    found = []
    for log in sorted(folder.glob("node-*.log"))[:8]:
        lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
        if said := [line for line in lines if re.search(r"\w", line) and "To enable traceback see" not in line]:
            found.append(redact(f"{log.stem}: {said[-1][:300]}"))
    return found


def rebuilt(report: dict[str, Any]) -> PosttrainError:
    """Return the error that a rank reported, to end this process as it ended that one."""
    kinds: dict[int, type[PosttrainError]] = {
        UserError.exit_code: UserError,
        RetryLaterError.exit_code: RetryLaterError,
    }
    return kinds.get(report["code"], StageFailedError)(**report["error"])
