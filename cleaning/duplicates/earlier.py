"""Earlier cleaning runs, whose kept rows ours must not repeat."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cleaning.duplicates.config import Duplicates
from cleaning.duplicates.parts import Part, load_parts
from utils.errors import UserError
from utils.runs.commit import read_report, report_path

_TRACES = ("signatures.npy", "bands.npy", "texts")


def settings_of(duplicates: Duplicates) -> dict[str, Any]:
    """Return what two runs must share for their rows to be compared: the settings of hashes and signatures."""
    found = duplicates.signature_settings()
    if duplicates.near is not None:
        from cleaning.duplicates.shingles import HASHING

        found["hashing"] = HASHING
    return found


def checked_earlier(duplicates: Duplicates) -> list[Path]:
    """Return the earlier runs, each checked.

    Raises:
        UserError: it is not finished, no cleaning run, was made with other settings, or its work files are gone.

    """
    for run in duplicates.earlier:
        report = _report(run)
        _check_settings(run, report["settings"], settings_of(duplicates))
        for part in _own_parts(run):
            _check_files(run, part, near=duplicates.near is not None)
    return duplicates.earlier


def earlier_parts(duplicates: Duplicates) -> Iterator[tuple[str, str, int, bool, str]]:
    """Give the parts of earlier runs as `numbered` takes them, in the order in which the runs are named."""
    for run in duplicates.earlier:
        for part in _own_parts(run):
            yield part.root, part.name, part.rows, True, part.file


def _report(run: Path) -> dict[str, Any]:
    report = read_report(report_path(run, "duplicates"))
    if not (run / "manifest.json").is_file():
        mend = f"posttrain resume {run}" if (run / "run").is_dir() else "name the folder of a finished cleaning run"
        raise UserError("this earlier run is not finished, or is no run", where=str(run), mend=mend)
    if report is None or "settings" not in report:
        mend = "clean it again with `duplicates.exact: true`"
        raise UserError("this earlier run has nothing to compare with", where=str(run), mend=mend)
    return report


def _check_settings(run: Path, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    names = ("normalise",) if not ours["near"] else tuple(sorted({*ours, *theirs}))
    for name in names:
        one, other = theirs.get(name), ours.get(name)
        if name == "near":
            one, other = one or {}, other or {}
            keys = [key for key in sorted({*one, *other}) if one.get(key) != other.get(key)]
            one, other = ({key: side.get(key) for key in keys} for side in (one, other))
        if one != other:
            said = f"this earlier run was made with other settings: {name} {one}, here {other}"
            raise UserError(said, where=str(run), mend="use its settings, or clean it again with these")


def _own_parts(run: Path) -> list[Part]:
    try:
        return [part for part in load_parts(run.resolve()) if not part.earlier]
    except FileNotFoundError as error:
        raise _gone(run, Path(str(error.filename))) from None


def _check_files(run: Path, part: Part, *, near: bool) -> None:
    traces = [part.trace(what) for what in _TRACES] if near else []
    for path in (part.first_pass, part.ledger, *traces):
        if not path.is_file():
            raise _gone(run, path)


def _gone(run: Path, path: Path) -> UserError:
    mend = "clean its input again; run/work/ must stay for later runs"
    return UserError(f"this earlier run's {path.name} is gone", where=str(run), mend=mend)
