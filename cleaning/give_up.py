"""What becomes of a partition whose cleaning failed in every try: its rows go to quarantine, the others go on (F1).

First without the rules: the rows are read and refused, each with its bytes. When even that fails they are not read at
all: as many rows as the plan counted are refused (one, where it could not count: a compressed file), and the first of
them carries the beginning of the partition's bytes. Both passes read the rows through here, so they see the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from utils.data.lines import KEPT
from utils.data.partitions import Partition
from utils.data.reading import RawRow, read_partition

QUARANTINE = ("cleaning.give_up:quarantine", "cleaning.give_up:quarantine")
"""What `run.map` is given for pass 1: once to read without rules, once not to read."""


def quarantine(task: dict[str, Any]) -> dict[str, Any]:
    """Commit pass 1 of a partition with every row refused.

    Args:
        task: as in pass 1, and `given_up`: why each try of another kind was left.

    """
    from cleaning.first_pass import first_pass  # which reads its rows through here

    return first_pass({**task, "policy": []})


def refused_rows(task: dict[str, Any]) -> Iterator[RawRow]:
    """Give the rows of a partition that was given up, each with the reason as its error."""
    partition, reasons = Partition(**task["partition"]), task["given_up"]
    if len(reasons) > 1:
        yield from _unread(partition, reasons[-1])
        return
    for raw in read_partition(partition, max_row_bytes=task["max_row_bytes"], invalid_utf8=task["invalid_utf8"]):
        yield raw._replace(row=None, error=raw.error or reasons[0], repairs=())


def _unread(partition: Partition, reason: str) -> Iterator[RawRow]:
    """Give the rows of a partition without reading them; one when their number is not known."""
    unit = "row groups" if partition.kind == "parquet" else "bytes"
    number = "unknown" if partition.rows is None else str(partition.rows)
    error = f"{reason}, reading only; {unit} {partition.start} to {partition.end} of the file, rows: {number}"
    raw = b"" if partition.kind == "parquet" else _beginning(partition)
    for row in range(1 if partition.rows is None else partition.rows):
        yield RawRow(partition.first_row + row, partition.start, b"" if row else raw, None, error)


def _beginning(partition: Partition) -> bytes:
    with Path(partition.path).open("rb") as file:
        file.seek(partition.start)
        return file.read(min(KEPT, partition.end - partition.start))
