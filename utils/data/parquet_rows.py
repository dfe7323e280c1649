"""The rows of a Parquet file's row groups, each also as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from utils.errors import UserError

BATCH_ROWS = 1024

ParquetRow = tuple[int, bytes, dict[str, Any] | None, str | None]  # row number, as JSON, values, error


def refuse_twins(schema: pa.Schema, path: Path) -> None:
    """Refuse two columns of one name: a row could hold only one of them.

    Raises:
        UserError: with the column and the file.

    """
    if twice := [name for name, uses in Counter(schema.names).items() if uses > 1]:
        raise UserError(f"two columns are called {twice[0]!r}", where=str(path), mend="rename one of them")


def parquet_rows(path: Path, start: int, end: int, first_row: int) -> Iterator[ParquetRow]:
    """Give the rows of row groups [start, end); checksums are verified.

    A damaged row group gives an error for each of its rows that could not be read, so that counts still agree.
    """
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for group in range(start, end):
            rows = file.metadata.row_group(group).num_rows
            done = 0
            try:
                for batch in file.iter_batches(BATCH_ROWS, row_groups=[group]):
                    for number, (row, error) in enumerate(_rows(batch), first_row + done):
                        yield number, _as_json(row), row, error
                    done += batch.num_rows
            except (OSError, pa.ArrowException) as error:
                reason = f"row group {group} is damaged: {error}"
                yield from ((first_row + i, b"", None, reason) for i in range(done, rows))
            first_row += rows


def _rows(batch: pa.RecordBatch) -> Iterator[tuple[dict[str, Any] | None, str | None]]:
    try:
        rows = batch.to_pylist()
    except (UnicodeDecodeError, ValueError):
        rows = None
    if rows is not None:
        yield from ((row, None) for row in rows)
        return
    for i in range(batch.num_rows):
        try:
            yield batch.slice(i, 1).to_pylist()[0], None
        except ValueError as error:
            yield None, f"a value that cannot be read: {error}"


def _as_json(row: dict[str, Any] | None) -> bytes:
    return b"" if row is None else orjson.dumps(row, default=_plain, option=orjson.OPT_NON_STR_KEYS)


def _plain(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
