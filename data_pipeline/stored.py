"""Rows of a file that somebody else's models and judges have written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from utils.data.inputs import find_files
from utils.data.partitions import plan_partitions
from utils.data.reading import read_partition
from utils.errors import UserError

_WHOLE = 1 << 40  # bytes: one partition per file


def stored_rows(path: Path, fields: Iterable[str | None]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a Parquet, JSON or JSONL file that all have the named fields.

    Raises:
        UserError: a row cannot be read or lacks a field; file, row and the fields it has are named.

    """
    wanted = [name for name in fields if name is not None]
    for file in find_files(path):
        for partition in plan_partitions(file, _WHOLE):
            for raw in read_partition(partition):
                where = f"{file.path}, row {raw.source_row + 1}"
                if raw.row is None:
                    raise UserError(str(raw.error), where=where)
                if missing := [name for name in wanted if name not in raw.row]:
                    raise UserError(
                        f"no field {missing[0]!r}; it has {', '.join(raw.row)}", where=where, mend="name the field"
                    )
                yield raw.row
