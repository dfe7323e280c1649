"""From parts to what a user sees: an output file per input file, the review sample, the numbers per file."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow.parquet as pq

from cleaning.tasks import PARTS, unit_of
from utils.data.ledger import assert_balanced
from utils.errors import StageFailedError

_COUNTS = ("in", "kept", "dropped", "quarantined")
_SUFFIXES = (".jsonl", ".ndjson", ".json", ".zip")
_PARQUET = ".parquet"
_NAME_BYTES = 255  # of a file name, on every file system that we know


def output_names(relatives: Sequence[str]) -> dict[str, str]:
    """Return the output's path for every input's: `.parquet` stays, all else becomes `<base name>.jsonl`.

    Inputs that would share one (`a.json` beside `a.jsonl`) keep their full names before the `.jsonl`; a name that is
    taken even then gets a number. Taken are outputs, names in `quarantine/` and folders of outputs, in any case of
    letters. A name too long for a file system is cut and ends in its hash. The same inputs always get the same names.
    """
    folders = {str(folder).lower() for relative in relatives for folder in PurePosixPath(relative).parents}
    plain = {relative: _output_name(relative) for relative in sorted(relatives)}
    uses = Counter(claim for name in plain.values() for claim in _claims(name))
    shared = folders | {claim for claim, number in uses.items() if number > 1}
    names = {relative: name for relative, name in plain.items() if not _claims(name) & shared}
    taken = folders | {claim for name in names.values() for claim in _claims(name)}
    for relative in (relative for relative in plain if relative not in names):
        names[relative] = next(name for name in _other_names(relative) if not _claims(name) & taken)
        taken |= _claims(names[relative])
    return names


def quarantine_name(target: str) -> str:
    """Return the name in `quarantine/` of the bad rows beside an output."""
    return f"{target}.jsonl" if _is_parquet(target) else target


def _claims(name: str) -> set[str]:
    """Return the names that an output takes, as a file system sees them that ignores case."""
    return {name.lower(), quarantine_name(name).lower()}


def _other_names(relative: str) -> Iterator[str]:
    """Give the names for an input whose plain one is shared, in the order of preference."""
    stem, end = (
        (relative[: -len(_PARQUET)], relative[-len(_PARQUET) :]) if _is_parquet(relative) else (relative, ".jsonl")
    )
    yield _fitting(stem, end)
    yield from (_fitting(stem, f"-{number}{end}") for number in count(2))


def _fitting(stem: str, end: str) -> str:
    """Return a path with an end; where the name would be too long for a file system, cut and with a hash."""
    path = PurePosixPath(stem + end)
    room = _NAME_BYTES - len(".jsonl")  # which a name in `quarantine/` may have besides
    if len(os.fsencode(path.name)) <= room:
        return path.as_posix()
    end = f"-{hashlib.blake2b(os.fsencode(stem), digest_size=8).hexdigest()}{end}"
    kept = os.fsencode(PurePosixPath(stem).name)[: room - len(end)].decode(errors="ignore")
    return path.with_name(kept + end).as_posix()


def _is_parquet(name: str) -> bool:
    return name.lower().endswith(_PARQUET)


def _output_name(relative: str) -> str:
    path = PurePosixPath(relative)
    name = path.name
    if _is_parquet(name):
        return _fitting(relative[: -len(_PARQUET)], relative[-len(_PARQUET) :])
    if name.lower().endswith((".gz", ".zst")):
        name = name.rpartition(".")[0]
    if name.lower().endswith(_SUFFIXES):
        name = name.rpartition(".")[0]
    return _fitting(relative[: -len(path.name)] + name, ".jsonl")


def assemble(task: dict[str, Any]) -> dict[str, Any]:
    """Join the parts of one input file, in order.

    Args:
        task: `relative`, `target`, `parts` (names in order), `counts` of all of them, and the unit's keys.

    """
    unit = unit_of(task)
    parts, target, counts = Path(task["root"]) / PARTS, str(task["target"]), task["counts"]
    suffix = "parquet" if _is_parquet(target) else "jsonl"
    for folder, status in (("good", "kept"), ("bad", "dropped")):
        with unit.file(f"{folder}/{target}") as temporary:
            _join([parts / f"{name}.{folder}.{suffix}" for name in task["parts"]], temporary, counts[status])
    if counts["quarantined"]:
        with unit.file(f"quarantine/{quarantine_name(target)}") as temporary:
            _join([parts / f"{name}.quarantine.jsonl" for name in task["parts"]], temporary, counts["quarantined"])
    return unit.commit({"file": task["relative"], **counts})


def _join(parts: list[Path], target: Path, expected: int) -> None:
    """Join parts into one file and count its rows: what is missing here would be lost in silence."""
    rows = _join_parquet(parts, target) if parts[0].suffix == ".parquet" else _join_lines(parts, target)
    if rows != expected:
        raise StageFailedError(f"{rows} rows were written, {expected} were decided", where=target.name)


def _join_lines(parts: list[Path], target: Path) -> int:
    with target.open("wb") as out:
        for part in parts:
            with part.open("rb") as stream:
                shutil.copyfileobj(stream, out, 1 << 20)
    with target.open("rb") as stream:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(1 << 20), b""))


def _join_parquet(parts: list[Path], target: Path) -> int:
    rows = 0
    schema = pq.read_schema(parts[0])
    with pq.ParquetWriter(target, schema, compression="zstd", write_page_checksum=True) as out:
        for part in parts:
            with pq.ParquetFile(part, page_checksum_verification=True) as file:
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group)
                    out.write_table(table)
                    rows += table.num_rows
    return rows


def total(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the sum of counts, asserted to balance."""
    summed: dict[str, Any] = {name: sum(report[name] for report in reports) for name in _COUNTS}
    for name in ("by_reason", "by_any_reason", "kept_size", "dropped_size"):
        counter: Counter[str] = Counter()
        for report in reports:
            counter.update(report[name])
        summed[name] = dict(sorted(counter.items()))
    assert_balanced(summed)
    return summed


def meta_info(name: str, files: dict[str, dict[str, Any]], empty: Sequence[str], tokens: str) -> dict[str, Any]:
    """Return rows, characters, tokens and averages, per file and in total."""
    return {
        "name": name,
        "tokens": tokens,
        "total": _described(total(list(files.values()))),
        "files": {relative: _described(counts) for relative, counts in sorted(files.items())},
        "empty_files": sorted(empty),
    }


def _described(counts: dict[str, Any]) -> dict[str, Any]:
    described = {name: counts[name] for name in (*_COUNTS, "by_reason")}
    for status in ("kept", "dropped"):
        size = {name: counts[f"{status}_size"].get(name, 0) for name in ("characters", "tokens")}
        rows = max(1, counts[status])
        averages = {f"{name}_per_row": round(value / rows, 2) for name, value in size.items()}
        described[f"{status}_rows"] = {**size, **averages}
    return described
