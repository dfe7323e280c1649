"""The rows that attributes are measured on: read once per partition, each distinct id once overall."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow as pa

from data_pipeline.attributes.base import as_table
from utils.data.formats import Format, RowError, detect, format_named
from utils.data.inputs import InputFile, find_files
from utils.data.partitions import Partition, plan_partitions
from utils.data.reading import RawRow, read_partition
from utils.data.records import RECORD_SCHEMA, Record, from_dicts, read_parquet, records_to_table, write_parquet
from utils.data.rows import record_from_row
from utils.data.streaming import source_name
from utils.runs.commit import Unit
from utils.runs.directory import Run

ROWS = "run/work/rows-{}.parquet"
REPEATED = "run/work/repeated.parquet"


def plan(
    source: Path | list[Path], partition_bytes: int, fmt: str | None, text_field: str | None
) -> list[dict[str, Any]]:
    """Return the reading tasks: one per partition, in the order of the input, with the format of its file."""
    tasks: list[dict[str, Any]] = []
    for file in find_files(source):
        partitions = plan_partitions(file, partition_bytes)
        name = None if text_field else _format_of(file, partitions, fmt)
        for partition in partitions:
            task = {"unit": f"rows-{partition.name}", "partition": asdict(partition), "part": len(tasks)}
            tasks.append({**task, "source": source_name(file), "format": name, "text_field": text_field})
    return tasks


def _format_of(file: InputFile, partitions: Sequence[Partition], name: str | None) -> str | None:
    """Return the name of a file's format by its first readable row; None for rows of our own record schema."""
    for partition in partitions:
        for raw in read_partition(partition):
            if raw.row is not None:
                return None if name is None and _own(raw.row) else detect(raw.row, name=name, where=str(file.path)).name
    return name


def _own(row: dict[str, Any]) -> bool:
    return set(RECORD_SCHEMA.names) <= row.keys()


def read(task: dict[str, Any]) -> dict[str, Any]:
    """Read one partition into `run/work/`: the record schema, distinct ids, in order. A job of the executor.

    Rows that hold no record go to `quarantine/` with their place and error.
    """
    records: dict[str, Record] = {}
    refused: list[dict[str, Any]] = []
    total = 0
    for found in _records(task):
        total += 1
        if isinstance(found, Record):
            records.setdefault(found.id, found)
        else:
            refused.append(found)
    unit = Unit(Path(task["root"]), task["unit"], task["token"], task["attempt"])
    with unit.file(ROWS.format(f"{task['part']:05d}")) as temporary:
        write_parquet(records_to_table(list(records.values())), temporary)
    if refused:
        with unit.file(f"quarantine/part-{task['part']:05d}.jsonl") as temporary:
            temporary.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in refused))
    dropped = total - len(records) - len(refused)
    return unit.commit({"in": total, "kept": len(records), "dropped": dropped, "quarantined": len(refused)})


def _records(task: dict[str, Any]) -> Iterator[Record | dict[str, Any]]:
    """Yield a record, or place and error, for every row of a partition."""
    partition = Partition(**task["partition"])
    fmt = format_named(task["format"]) if task["format"] else None
    for raw in read_partition(partition):
        try:
            if fmt is None and raw.row is not None and task["text_field"]:
                fmt = detect(raw.row, text_field=task["text_field"], where=partition.path)
            yield _record(raw, fmt, task["source"])
        except (RowError, KeyError, TypeError) as error:
            place = {"source_file": partition.relative, "source_row": raw.source_row, "byte_offset": raw.byte_offset}
            yield {**place, "error": str(error)}


def _record(raw: RawRow, fmt: Format | None, source: str) -> Record:
    if raw.row is None:
        raise RowError(str(raw.error))
    if fmt is not None:
        return record_from_row(raw.row, fmt, source)
    row = raw.row
    return Record(str(row["id"]), str(row["source"]), str(row["lang"]), from_dicts(row["messages"]))


def mark_repeated(run: Run, tasks: Sequence[dict[str, Any]]) -> int:
    """Write down which ids of which part stand in an earlier part too; return how many.

    The first part in the order of the input measures an id; the parts are a function of the input, so this does not
    depend on which worker was faster.
    """
    if (report := run.committed("repeated")) is None:
        parts = [_ids(run.path, number) for number in range(len(tasks))]
        ids = pl.concat(parts) if parts else pl.DataFrame(schema={"id": pl.String, "part": pl.Int64})
        repeated = ids.filter(~pl.col("id").is_first_distinct())
        unit = run.unit("repeated")
        with unit.file(REPEATED) as temporary:
            write_parquet(as_table(repeated), temporary)
        report = unit.commit({"repeated": repeated.height})
    return int(report["repeated"])


def _ids(root: Path, number: int) -> pl.DataFrame:
    table = read_parquet(root / ROWS.format(f"{number:05d}"), ["id"])
    return pl.DataFrame(pl.from_arrow(table)).with_columns(part=pl.lit(number, pl.Int64))


def load_rows(root: Path, parts: Sequence[int]) -> pl.DataFrame:
    """Return the distinct rows (`id, source, lang, messages`) that are measured in these parts, in order."""
    repeated = pl.DataFrame(pl.from_arrow(read_parquet(root / REPEATED)))
    columns = ["id", "source", "lang", "messages"]
    tables = []
    for part in parts:
        table = pl.DataFrame(pl.from_arrow(read_parquet(root / ROWS.format(f"{part:05d}"), columns)))
        elsewhere = repeated.filter(pl.col("part") == part)
        tables.append(table.join(elsewhere, on="id", how="anti", maintain_order="left"))
    empty = pl.DataFrame(pl.from_arrow(pa.Table.from_pylist([], RECORD_SCHEMA).select(columns)))
    return pl.concat([empty, *tables])
