"""A run directory: opened, owned, keyed, filled unit by unit, finished by its manifest."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from utils.errors import UserError
from utils.execution.executor import Done, Executor, open_executor
from utils.runs.commit import (
    Unit,
    committed,
    disk_full_is_retryable,
    publish,
    read_json,
    read_report,
    replace_json,
    report_path,
)
from utils.runs.config import ParallelConfig, RunConfig
from utils.runs.key import Key
from utils.runs.logs import Progress, close_log, open_log
from utils.runs.owner import Owner
from utils.runs.processes import ProcessRecord, end_orphans, read_record
from utils.runs.signals import StopFlag
from utils.runs.space import check_space

_TEMPORARY = re.compile(r".+\.tmp\.([0-9a-f]{8}\.\d+|\d+\.[0-9a-f]{8})", re.DOTALL)
"""The names of `Unit.file` and of `replace_json`."""

_NOTES = frozenset({"command", "config", "key", "log", "owner", "processes", "state"})
"""Files in `run/` that a run writes of itself before it does anything, without what follows the dot."""

_DIFFERENCES_SHOWN = 10


class Run:
    """What a stage's work gets: a directory to fill, and everything that keeps the promise of the commit protocol."""

    def __init__(self, config: RunConfig, verb: str, *, quiet: bool = False, leader: bool = True) -> None:
        self.path = config.output
        self.inner = self.path / "run"
        self.config = config
        self.verb = verb
        self.quiet = quiet
        self.leader = leader
        self.token = secrets.token_hex(4)
        self.stop = StopFlag()
        self.processes = ProcessRecord(self.path)
        self.execution: dict[str, Any] = {}
        self._executor: Executor | None = None
        self._ray_left: Path | None = None
        self._owner = Owner(self.path, self.token)
        self.log = open_log(verb, None, quiet=quiet or not leader)

    def open(self) -> None:
        """Own the directory, end what an earlier attempt left running, begin the log.

        Raises:
            UserError: the file system cannot hold a run, or another process owns the directory.

        """
        _make_directory(self.inner)
        former = self._owner.take(self.verb)
        ended = end_orphans(self.path) if former else 0
        self._ray_left = _remove_ray_directory(self.path)
        self._remove_temporaries()
        probe_file_system(self.inner)
        self.processes.start()
        self.stop.install(at_second=lambda: self.set_state("interrupted"))
        self.log = open_log(self.verb, self.inner / "log.txt", quiet=self.quiet)
        if former:
            self.log.info("continuing after pid %s, which is dead; ended %d of its processes", former["pid"], ended)
        self.log.info("working in %s", self.path)  # under nohup the next line may be long in coming
        self.set_state("running")

    def close(self, state: str) -> None:
        """Write the last state and give the directory back."""
        self.stop_executor()
        _remove_ray_directory(self.path)
        if self._ray_left is not None:  # the dying Ray of a killed driver may have made it anew
            shutil.rmtree(self._ray_left, ignore_errors=True)
        with contextlib.suppress(OSError):  # a full disk; a dead driver's last state, `running`, is shown as killed
            self.set_state(state)
        close_log(self.log)
        self._owner.release()

    def set_state(self, state: str, **more: Any) -> None:
        """Write `run/state.json`: what `posttrain status` shows."""
        replace_json(self.inner / "state.json", {"verb": self.verb, "state": state, **more})

    def check_key(self, key: Key, *, accept_changes: bool) -> bool:
        """Compare this run's key with the one the directory was made with (F23).

        Returns:
            True when they are the same, or nothing is done yet; False when a difference was accepted.

        Raises:
            UserError: they differ and the user has not accepted it.

        """
        path = self.inner / "key.json"
        stored = read_json(path)
        differences = key.differences(stored) if stored else []
        shown = "; ".join(differences[:_DIFFERENCES_SHOWN])
        shown += f"; … {len(differences) - _DIFFERENCES_SHOWN} more" if len(differences) > _DIFFERENCES_SHOWN else ""
        if differences and self._nothing_done():
            self.log.info("nothing was done here yet; it begins anew with %s", shown)
            stored, differences = None, []
        if differences and not accept_changes:
            mend = "choose another output, or keep what is committed: the same command with --accept-changes"
            raise UserError(f"this directory holds a run with {shown}", where=str(self.path), mend=mend)
        if differences:
            self._mark_mixed(key, differences)
            if key.other_inputs(stored):
                self._supersede(stored["hash"])
        if stored is None or differences:
            replace_json(path, {"hash": key.hash, "config": key.config, "inputs": key.inputs, "code": key.code})
        return not differences

    def _nothing_done(self) -> bool:
        """Tell whether the directory holds only notes of a run that was refused or killed before its first unit."""
        found = (path for path in self.path.rglob("*") if not path.is_dir())
        launched = {self.inner / "ranks", self.inner / "slurm"}  # what ranks said that were refused
        return all(
            (path.parent == self.inner and path.stem in _NOTES) or launched.intersection(path.parents) for path in found
        )

    def _mark_mixed(self, key: Key, differences: list[str]) -> None:
        """Write down which units came from which key: the lineage is mixed from here on."""
        lineage = read_json(self.inner / "lineage.json") or []
        before = sorted(path.stem for path in (self.inner / "reports").glob("*.json"))
        lineage.append({"accepted": differences, "new_key": key.hash, "units_before": before})
        replace_json(self.inner / "lineage.json", lineage)
        if (self.path / "manifest.json").exists():
            replace_json(self.inner / f"manifest.before-{key.hash[:8]}.json", read_json(self.path / "manifest.json"))
            (self.path / "manifest.json").unlink()

    def _supersede(self, former: str) -> None:
        """Set aside, under `run/superseded/`, the units that say nothing of the new inputs.

        Units named by what they read (`by_content` in their report) stay: what has changed has another name.
        """
        for report in list(self.reports()):
            if not report.get("by_content"):
                self.set_aside(report, former[:8])

    def set_aside(self, report: dict[str, Any], folder: str) -> None:
        """Move a unit's report and files to `run/superseded/<folder>/`, the report first: then it is not committed."""
        aside = self.inner / "superseded" / folder
        for path in (report_path(self.path, report["unit"]), *(self.path / file for file in report["files"])):
            target = aside / path.relative_to(self.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                path.replace(target)

    def check_space(self, needed: int) -> None:
        """Compare the bytes that the whole run writes with what is free; what is committed counts as written.

        Raises:
            RetryLaterError: it would not fit.

        """
        check_space(self.path, needed, sum(seal["bytes"] for seal in self.seals().values()))

    def unit(self, name: str) -> Unit:
        """Return a unit to write and commit."""
        return Unit(self.path, name, self.token)

    def committed(self, name: str) -> dict[str, Any] | None:
        """Return a unit's report when it is complete and its files match, else None."""
        return committed(self.path, name)

    def reports(self) -> Iterator[dict[str, Any]]:
        """Yield every readable unit report of this run, by name."""
        for path in sorted((self.inner / "reports").glob("*.json")):
            if report := read_report(path):
                yield report

    @contextlib.contextmanager
    def replaced_file(self, relative: str) -> Iterator[Path]:
        """Yield a temporary path that replaces `relative` when written: for reports, which may be drawn again."""
        final = self.path / relative
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = final.with_name(f"{final.name}.tmp.{self.token}.0")
        try:
            with disk_full_is_retryable(final):
                yield temporary
                temporary.replace(final)
        finally:
            temporary.unlink(missing_ok=True)

    def progress(self, total: int, what: str) -> Progress:
        """Return a progress bar on a terminal, plain lines elsewhere."""
        return Progress(self.log, total, what, quiet=self.quiet)

    def map(
        self, job: str, tasks: list[dict[str, Any]], what: str, *, give_up: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """Run a job over tasks on the configured executor; committed units are not run again.

        Args:
            job: dotted name of a function `task -> report`, such as `"cleaning.first_pass:first_pass"`.
            tasks: JSON-able; each has `unit`, the name of the unit that it commits.
            what: shown in the progress.
            give_up: jobs that commit the unit in another way, asked in turn when the one before failed `attempts`
                times because its worker died or it raised what it should not; they find the reasons in the task's
                `given_up`. None: the run ends.

        Returns:
            The reports, in the order of the tasks.

        Raises:
            InterruptedRunError: a signal came; finished units are committed.
            StageFailedError: a task failed in every attempt, of the last job that could be asked.

        """
        reports = {task["unit"]: report for task in tasks if (report := self.committed(task["unit"]))}
        waiting = [
            {**task, "root": str(self.path), "token": self.token} for task in tasks if task["unit"] not in reports
        ]
        if reports:
            self.log.info("%s: %d of %d units were done before", what, len(reports), len(tasks))
        with self.progress(len(waiting), what) as progress:
            for done in self._execute([job, *give_up], waiting):
                reports[done.task["unit"]] = done.report
                progress.step()
        self.stop.check()
        return [reports[task["unit"]] for task in tasks]

    def _execute(self, jobs: Sequence[str], tasks: list[dict[str, Any]]) -> Iterator[Done]:
        """Run tasks on the executor; it starts with the first task and stays for the rest of the run."""
        if not tasks:
            return
        if self._executor is None:
            if not isinstance(self.config, ParallelConfig):
                raise TypeError(f"{self.verb} maps tasks but its config has no executor")
            self._executor = open_executor(self.config, self.stop, self.processes, self.log)
            self._executor.__enter__()
        yield from self._executor.map(jobs, tasks)
        self.execution = self._executor.describe()

    def stop_executor(self) -> None:
        """Stop the workers, if any were started."""
        if self._executor is not None:
            self._executor.__exit__(None, None, None)
            self._executor = None

    def _remove_temporaries(self) -> None:
        """Remove temporary files of dead attempts; a worker that still writes one simply fails to publish it.

        Only names that the commit protocol gives, never a committed file, never inside a step, which has its own owner.
        """
        committed_files = {self.path / path for path in self.seals()}
        for place, folders, names in os.walk(self.path):
            if Path(place) == self.path and "steps" in folders:
                folders.remove("steps")
            for path in (Path(place) / name for name in [*names, *folders] if _TEMPORARY.fullmatch(name)):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                elif path not in committed_files:
                    path.unlink(missing_ok=True)

    def seals(self) -> dict[str, dict[str, Any]]:
        """Return the seals of every committed file."""
        return {path: seal for report in self.reports() for path, seal in report["files"].items()}


def _make_directory(path: Path) -> None:
    try:
        with disk_full_is_retryable(path):
            path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the run directory: {error.strerror}", where=str(path)) from error


def probe_file_system(directory: Path) -> None:
    """Check that links, or else exclusive creation and rename, work here.

    Raises:
        UserError: neither does; such a file system cannot hold a run.

    """
    suffix = f".tmp.{os.getpid()}.{secrets.token_hex(4)}"  # both are removed at the next start, if a kill leaves them
    source, target = directory / f"probe{suffix}", directory / f"probe.published{suffix}"
    try:
        with disk_full_is_retryable(directory):
            source.write_bytes(b"probe")
            published = publish(source, target)
        if not published or target.read_bytes() != b"probe":
            raise OSError(errno.EIO, "a published file is not what was written")
    except OSError as error:
        mend = "use a POSIX file system; read and push object stores through fsspec instead"
        raise UserError(
            f"this file system cannot hold a run: {error.strerror}", where=str(directory), mend=mend
        ) from error
    finally:
        target.unlink(missing_ok=True)
        source.unlink(missing_ok=True)


def _remove_ray_directory(root: Path) -> Path | None:
    """Remove the temporary directory that this run's Ray had, if it is recorded and looks like ours; return it."""
    recorded = read_record(root).get("ray_directory")
    if not recorded or not Path(recorded).name.startswith("pt-"):
        return None
    shutil.rmtree(recorded, ignore_errors=True)
    return Path(recorded)
