"""The cleaning run: two passes over partitions, duplicates in between, then an output file per input file.

The driver hands out the work and does none: what is heavy is imported by the workers, who find a job by its name.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from cleaning.assemble import meta_info, output_names, total
from cleaning.config import CleanConfig
from cleaning.duplicates.earlier import checked_earlier
from cleaning.duplicates.run import find_duplicates
from cleaning.give_up import QUARANTINE
from cleaning.rules.base import parameters
from cleaning.tasks import tasks_for
from cleaning.tokens import describe
from utils.data.formats import detect
from utils.data.inputs import InputFile, find_files, overlaps, survey
from utils.data.partitions import Partition, plan_partitions
from utils.data.reading import read_partition
from utils.errors import UserError
from utils.runs.config import paths_in
from utils.runs.directory import Run

# A file's format is that of its first readable row that has one; this many are asked.
_ROWS_ASKED = 1000

# Bytes on disk per row for near duplicates: signature, bands and, of a text of 800 bytes, what it is packed to.
_TRACE_BYTES = 1200

# How much larger a packed file is when it is read: of text, about four times.
_UNPACKED = 4
_NOT_PACKED = {"json", "jsonl", "parquet"}

Plan = dict[InputFile, list[Partition]]


def inputs(config: CleanConfig) -> list[Path]:
    """Return the files that are read.

    Raises:
        UserError: there are none, or the run would read what it writes.

    """
    _refuse_overlap(config)
    duplicates = config.duplicates
    return [
        *(file.path for file in find_files(config.input)),
        *_reference_files(config),
        *checked_earlier(duplicates),
        *([config.tokenizer] if config.tokenizer else []),
        *(path for rule in config.policy for path in paths_in(rule)),
    ]


def dry_run(config: CleanConfig) -> dict[str, Any]:
    """Return files, rows, tasks and bytes."""
    _refuse_overlap(config)
    plan = _plan(config)
    partitions = [partition for found in plan.values() for partition in found]
    return {
        "files": {
            file.relative: {"format": _format(config, file, found), "tasks": len(found)} for file, found in plan.items()
        },
        "rows": sum(partition.rows or 0 for partition in partitions),
        "rows_unknown_in": [partition.relative for partition in partitions if partition.rows is None],
        "tasks": 2 * len(partitions) + len(plan),
        "bytes": sum(file.path.stat().st_size for file in plan),
        "disk_needed_bytes": _disk_needed(config, plan),
    }


def work(run: Run, config: CleanConfig) -> dict[str, Any]:
    """Clean everything; return the counts."""
    plan = _plan(config)
    files = {file: found for file, found in plan.items() if found}
    _tell(run, config, plan)
    run.check_space(_disk_needed(config, plan))
    tasks = [task for file, found in files.items() for task in tasks_for(found, _shared(config, file, found))]
    tasks.sort(key=_order)
    if config.duplicates.reference is not None:
        from cleaning.duplicates.reference import load_references

        load_references(run, config.duplicates.reference)
    firsts = run.map("cleaning.first_pass:first_pass", tasks, "pass 1", give_up=QUARANTINE)
    if not any(first["rows"] for first in firsts):
        raise UserError("no row at all in the input", where=_spell(config), mend="point `input` at files with rows")
    _tell_rowless(run, tasks, firsts)
    find_duplicates(run, config.duplicates, tasks, [first["rows"] for first in firsts])
    run.stop.check()
    again = [
        {**t, "unit": f"second-{t['name']}", "given_up": f["given_up"]} for t, f in zip(tasks, firsts, strict=True)
    ]
    seconds = run.map("cleaning.second_pass:second_pass", again, "pass 2")
    by_file = _by_file(tasks, seconds)
    run.map("cleaning.assemble:assemble", _assembly(tasks, by_file), "assembly")
    empty = [file.relative for file in plan if file.relative not in by_file]
    _summarise(run, config, by_file, empty)
    run.map("cleaning.sampling:write_sample", [_sampling(config, tasks, seconds)], "sample")
    counts = total(seconds)
    return {
        **{name: counts[name] for name in ("in", "kept", "dropped", "quarantined", "by_reason", "by_any_reason")},
        "by_file": {name: {k: c[k] for k in ("in", "kept", "dropped", "quarantined")} for name, c in by_file.items()},
    }


def report(run: Run, config: CleanConfig, manifest: dict[str, Any]) -> None:
    """Write `report.html`."""
    from cleaning.report import report as write  # workers need no page

    write(run, config, manifest)


def partitions_of(config: CleanConfig) -> Iterator[tuple[Partition, dict[str, Any]]]:
    """Give every partition of a config's input and what pass 1 is told of its file."""
    for file, found in _plan(config).items():
        if found:
            shared = _shared(config, file, found)
            yield from ((partition, shared) for partition in found)


def _reference_files(config: CleanConfig) -> list[Path]:
    if config.duplicates.reference is None:
        return []
    from cleaning.duplicates.reference import reference_files

    return reference_files(config.duplicates.reference)


def _plan(config: CleanConfig) -> Plan:
    return {file: plan_partitions(file, config.partition_bytes) for file in find_files(config.input)}


def _disk_needed(config: CleanConfig, plan: Plan) -> int:
    """Return about how many bytes a run writes: parts of both passes, outputs joined of them, traces of near copies."""
    size = sum(file.path.stat().st_size * (1 if file.kind in _NOT_PACKED else _UNPACKED) for file in plan)
    rows = sum(partition.rows or 0 for found in plan.values() for partition in found)
    return 3 * size + (_TRACE_BYTES * rows if config.duplicates.near else 0)


def _tell(run: Run, config: CleanConfig, plan: Plan) -> None:
    """Warn of what lies in the input and is not read."""
    for file, found in plan.items():
        if not found:
            run.log.warning("%s is empty", file.relative)
    for item in survey(config.input).ignored:
        run.log.warning("%s is not read: %s", item.shown, item.reason)


def _tell_rowless(run: Run, tasks: Sequence[dict[str, Any]], firsts: Sequence[dict[str, Any]]) -> None:
    """Warn of files that turned out to hold no row: blank lines, `[]`, an archive of nothing."""
    rows: Counter[str] = Counter()
    for task, first in zip(tasks, firsts, strict=True):
        rows[task["partition"]["relative"]] += first["rows"]
    for relative in (relative for relative, number in rows.items() if not number):
        run.log.warning("%s has no row", relative)


def _refuse_overlap(config: CleanConfig) -> None:
    if any(overlaps(source, config.output) for source in _sources(config)):
        mend = "choose an output elsewhere"
        raise UserError("input and output lie inside each other", where=str(config.output), mend=mend)


def _sources(config: CleanConfig) -> list[Path]:
    return config.input if isinstance(config.input, list) else [config.input]


def _spell(config: CleanConfig) -> str:
    return ", ".join(map(str, _sources(config)))


def _shared(config: CleanConfig, file: InputFile, found: Sequence[Partition]) -> dict[str, Any]:
    """Return what all tasks of a file have in common."""
    return {
        "format": _format(config, file, found),
        "text_field": config.text_field,
        "policy": [parameters(rule) for rule in config.policy],
        "duplicates": config.duplicates.model_dump(mode="json"),
        "max_row_bytes": config.max_row_bytes,
        "invalid_utf8": config.invalid_utf8,
        "seed": config.seed,
        "source": config.dataset,
        "tokenizer": str(config.tokenizer.absolute()) if config.tokenizer else None,
    }


def _format(config: CleanConfig, file: InputFile, partitions: Sequence[Partition]) -> str | None:
    """Return the name of a file's format: of the first readable row that is of a known one.

    Raises:
        UserError: rows can be read, but none is of a known format; their keys are named.

    """
    refusal: UserError | None = None
    limits = {"max_row_bytes": config.max_row_bytes, "invalid_utf8": config.invalid_utf8}
    raws = (raw for partition in partitions for raw in read_partition(partition, **limits))  # type: ignore[arg-type]
    rows = (raw.row for raw in raws if raw.row is not None)
    for row in islice(rows, _ROWS_ASKED):
        try:
            return detect(row, name=config.format, text_field=config.text_field, where=str(file.path)).name
        except UserError as error:
            refusal = refusal or error
    if refusal is not None:
        raise refusal
    return None


def _order(task: dict[str, Any]) -> tuple[str, int]:
    return task["partition"]["relative"], task["partition"]["index"]


def _by_file(tasks: Sequence[dict[str, Any]], reports: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the counts of every input file that has rows."""
    grouped: dict[str, list[dict[str, Any]]] = {}
    for task, found in zip(tasks, reports, strict=True):
        grouped.setdefault(task["partition"]["relative"], []).append(found)
    totals = {relative: total(found) for relative, found in grouped.items()}
    return {relative: counts for relative, counts in totals.items() if counts["in"]}


def _assembly(tasks: Sequence[dict[str, Any]], by_file: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one task per input file with rows."""
    parts: dict[str, list[str]] = {}
    for task in tasks:
        parts.setdefault(task["partition"]["relative"], []).append(task["name"])
    targets = output_names(list(by_file))
    return [
        {
            "unit": "file-" + hashlib.blake2b(relative.encode(errors="surrogateescape"), digest_size=8).hexdigest(),
            "relative": relative,
            "target": targets[relative],
            "parts": parts[relative],
            "counts": counts,
        }
        for relative, counts in by_file.items()
    ]


def _summarise(run: Run, config: CleanConfig, by_file: dict[str, Any], empty: Sequence[str]) -> None:
    """Write `<name>-meta-info.json`."""
    if run.committed("summary") is not None:
        return
    with run.unit("summary") as unit:
        with unit.file(f"{config.dataset}-meta-info.json") as temporary:
            meta = meta_info(config.dataset, by_file, empty, describe(config.tokenizer))
            temporary.write_bytes(orjson.dumps(meta, option=orjson.OPT_INDENT_2) + b"\n")
        unit.commit({})


def _sampling(
    config: CleanConfig, tasks: Sequence[dict[str, Any]], seconds: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return the task that writes `<name>-sample100.jsonl`."""
    return {
        "unit": "sample",
        "target": f"{config.dataset}-sample100.jsonl",
        "parts": [{"name": task["name"], "partition": task["partition"]} for task in tasks],
        "strata": [line for second in seconds for line in second["strata"]],
    }
