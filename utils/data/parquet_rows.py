"""The rows of a Parquet file's row groups, each also as JSON."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from utils.data.raw_rows import RawRows
from utils.errors import UserError

BATCH_ROWS = 1024


def refuse_twins(schema: pa.Schema, path: Path) -> None:
    """Refuse two columns of one name: a row could hold only one of them.

    Raises:
        UserError: with the column and the file.

    """
    if twice := [name for name, uses in Counter(schema.names).items() if uses > 1]:
        raise UserError(f"two columns are called {twice[0]!r}", where=str(path), mend="rename one of them")


def parquet_rows(path: Path, start: int, end: int, first_row: int) -> Iterator[RawRows]:
    """Give the rows of row groups [start, end), their offsets being row numbers; checksums are verified.

    A damaged row group gives an error for each of its rows that could not be read, so that counts still agree.
    """
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for group in range(start, end):
            size = file.metadata.row_group(group).num_rows
            done = 0
            try:
                for batch in file.iter_batches(BATCH_ROWS, row_groups=[group]):
                    rows, errors = _rows(batch)
                    yield _as_rows(first_row + done, rows, errors)
                    done += batch.num_rows
            except (OSError, pa.ArrowException) as error:
                reason = f"row group {group} is damaged: {error}"
                yield _as_rows(first_row + done, [None] * (size - done), dict.fromkeys(range(size - done), reason))
            first_row += size


def _as_rows(first: int, rows: list[dict[str, Any] | None], errors: dict[int, str]) -> RawRows:
    offsets = list(range(first, first + len(rows)))
    return RawRows(first, offsets, [b"" if row is None else row_as_json(row) for row in rows], rows, errors, {})


def _rows(batch: pa.RecordBatch) -> tuple[list[dict[str, Any] | None], dict[int, str]]:
    """Return the rows of a batch, None where a value cannot be read, and the reasons by position."""
    with contextlib.suppress(UnicodeDecodeError, ValueError):
        return batch.to_pylist(), {}
    rows: list[dict[str, Any] | None] = []
    errors: dict[int, str] = {}
    for i in range(batch.num_rows):
        try:
            rows += batch.slice(i, 1).to_pylist()
        except ValueError as error:
            rows.append(None)
            errors[i] = f"a value that cannot be read: {error}"
    return rows, errors


def row_as_json(row: dict[str, Any]) -> bytes:
    """Return a row's values as JSON; those that JSON lacks become texts, bytes hexadecimal digits."""
    return orjson.dumps(row, default=_plain, option=orjson.OPT_NON_STR_KEYS)


def _plain(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
