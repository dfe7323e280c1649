"""Which files an `input:` means: a file, a glob, a directory or a list of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from glob import glob, has_magic
from pathlib import Path

from utils.data.streams import unread_members
from utils.errors import UserError

_KINDS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".zip": "zip",
}
_COMPRESSED = (".gz", ".zst")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

# What stages write beside the rows that the next stage reads.
_BESIDE_DIRS = {"run", "ledger", "edits", "bad", "quarantine", "attributes", "model"}
_BESIDE_FILES = {"manifest.json", "metrics.json", "metrics.jsonl"}

Input = str | Path | Sequence[str | Path]


@dataclass(frozen=True, slots=True)
class InputFile:
    """One readable file.

    Args:
        path: where it lies.
        relative: its path below the input, with `/`; the name alone for a single file. Unique in one input.
        kind: jsonl, json, parquet, zip, or jsonl or json with .gz or .zst.

    """

    path: Path
    relative: str
    kind: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """A file that is not read, and why."""

    path: Path
    reason: str

    @property
    def shown(self) -> str:
        """The path in a form that can be printed, whatever bytes its name has."""
        return _printable(str(self.path))


@dataclass(slots=True)
class Survey:
    """What lies in an input: files to read in order, and the others."""

    files: list[InputFile] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)


def find_files(source: Input) -> list[InputFile]:
    """Return the readable files of an input, sorted by their relative paths (a list keeps its order).

    Raises:
        UserError: the input is missing, or holds nothing readable.

    """
    found = survey(source)
    if not found.files:
        seen = "; ".join(f"{_printable(item.path.name)}: {item.reason}" for item in found.ignored[:5])
        raise UserError(
            f"no rows: no .jsonl, .json or .parquet file here{' (' + seen + ')' if seen else ''}",
            where=_spell(source),
            mend="point `input` at a file, a folder or a glob that holds some",
        )
    return found.files


def survey(source: Input) -> Survey:
    """Return the readable files of an input and those left aside, with the reasons.

    Raises:
        UserError: the input is missing, is an unfinished run, or names two files by one relative path.

    """
    found = Survey()
    for one in [source] if isinstance(source, str | Path) else source:
        _add(found, Path(one))
    _make_unique(found.files)
    return found


def overlaps(source: Path, output: Path) -> bool:
    """Tell whether a folder or glob and an output lie inside each other, so that a run would read what it writes."""
    output = output.resolve()
    if source.is_dir():
        folder = source.resolve()
        return folder.is_relative_to(output) or output.is_relative_to(folder)
    if source.is_file() or not has_magic(str(source)):
        return False
    root, patterns = _split(source)
    if (folder := root.resolve()).is_relative_to(output):
        return True
    return output.is_relative_to(folder) and _may_match(patterns, output.relative_to(folder).parts)


def _may_match(patterns: Sequence[str], parts: Sequence[str]) -> bool:
    """Tell whether a glob may match these parts of a path, what lies below them or what holds them."""
    for pattern, part in zip(patterns, parts, strict=False):
        if pattern == "**":
            return True
        if not fnmatch(part, pattern):
            return False
    return True


def kind_of(name: str) -> str | None:
    """Return the kind of file that a name promises, or None for one that is not read."""
    stem, suffix = os.path.splitext(name.lower())
    if suffix in _COMPRESSED:
        inner = _KINDS.get(os.path.splitext(stem)[1])
        return inner + suffix if inner in ("jsonl", "json") else None
    return _KINDS.get(suffix)


def _add(found: Survey, path: Path) -> None:
    if path.is_dir():
        rows = _rows_root(path)
        _add_directory(found, rows, rows)
    elif path.is_file():
        _add_file(found, path, path.name)
    elif has_magic(str(path)) and (matches := sorted(glob(str(path), recursive=True))):
        _add_glob(found, path, [Path(match) for match in matches])
    else:
        raise UserError("no such file or folder", where=str(path), mend="correct `input`")


def _add_glob(found: Survey, pattern: Path, matches: list[Path]) -> None:
    root, _ = _split(pattern)
    inside = Survey()
    for match in matches:
        if not match.resolve().is_relative_to(root.resolve()):
            inside.ignored.append(Ignored(match, "a symlink that leads outside"))
        elif match.is_dir():
            _add_directory(inside, root, match)
        else:
            _add_file(inside, match, match.relative_to(root).as_posix())
    unique = {file.relative: file for file in inside.files}
    found.files += [unique[relative] for relative in sorted(unique)]
    found.ignored += inside.ignored


def _split(pattern: Path) -> tuple[Path, tuple[str, ...]]:
    """Return the folder that a glob starts from and the parts to match below it."""
    magic = next(i for i, part in enumerate(pattern.parts) if has_magic(part))
    return Path(*pattern.parts[:magic]), pattern.parts[magic:]


def _rows_root(path: Path) -> Path:
    """Return where the rows of a directory lie: in a finished run, its `good/` or `tiers/`."""
    if (path / "manifest.json").is_file():
        return next((path / name for name in ("good", "tiers") if (path / name).is_dir()), path)
    if (path / "run" / "reports").is_dir():
        raise UserError("the run is not finished", where=str(path), mend=f"posttrain resume {path}")
    return path


def _add_directory(found: Survey, base: Path, folder: Path) -> None:
    """Add what is under `folder`, named relative to `base`."""
    run = (folder / "manifest.json").is_file()
    part_of_run = folder.name != "good" and (folder.parent / "manifest.json").is_file()
    inside = Survey()
    for path in _walk(folder, found, _BESIDE_DIRS if run else set()):
        if path.is_symlink() and not path.resolve().is_relative_to(base.resolve()):
            found.ignored.append(Ignored(path, "a symlink that leads outside"))
        elif (run or part_of_run) and (reason := _beside(path)):
            found.ignored.append(Ignored(path, reason))
        else:
            _add_file(inside, path, path.relative_to(base).as_posix())
    found.files += sorted(inside.files, key=lambda file: file.relative)
    found.ignored += inside.ignored


def _walk(folder: Path, found: Survey, beside: set[str]) -> Iterator[Path]:
    """Give every file below a folder that is not hidden; symlinked folders and those `beside` are not entered."""
    for place, folders, names in os.walk(folder):
        here = Path(place)
        shown = sorted(name for name in folders if not name.startswith("."))
        folders[:] = []
        for name in shown:
            if (here / name).is_symlink():
                found.ignored.append(Ignored(here / name, "a symlinked folder"))
            elif here == folder and name in beside:
                found.ignored.append(Ignored(here / name, "about a run, not rows"))
            else:
                folders.append(name)
        yield from (here / name for name in sorted(names) if not name.startswith("."))


def _beside(path: Path) -> str | None:
    if path.name in _BESIDE_FILES:
        return "about a run, not rows"
    if path.suffix == ".jsonl" and path.with_suffix(".parquet").is_file():
        return "the same rows as the .parquet beside it"
    return None


def _add_file(found: Survey, path: Path, relative: str) -> None:
    kind = kind_of(path.name)
    if not _is_utf8(str(path)):
        found.ignored.append(Ignored(path, "its name is not UTF-8"))
    elif kind is None:
        found.ignored.append(Ignored(path, "not a kind of file that is read"))
    elif path.is_file():
        found.files.append(InputFile(path, relative, kind))
        unread = unread_members(path) if kind == "zip" else []
        found.ignored += [Ignored(path / name, "a member of a kind that is not read") for name in unread]
    else:
        found.ignored.append(Ignored(path, "a broken symlink or no regular file"))


def _make_unique(files: list[InputFile]) -> None:
    """Where two inputs of a list share relative paths, name all by what distinguishes their places."""
    places = [file.path.absolute() for file in files]
    if len(set(places)) < len(places):
        seen: set[Path] = set()
        twice = next(place for place in places if place in seen or seen.add(place))  # type: ignore[func-returns-value]
        raise UserError("the same file is named twice", where=str(twice), mend="name it once in `input`")
    if len({file.relative for file in files}) == len(files):
        return
    common = os.path.commonpath(places)
    files[:] = [
        InputFile(file.path, place.relative_to(common).as_posix(), file.kind)
        for file, place in zip(files, places, strict=True)
    ]


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("\ufffd", text)


def _spell(source: Input) -> str:
    return str(source) if isinstance(source, str | Path) else ", ".join(map(str, source)) or "input"
