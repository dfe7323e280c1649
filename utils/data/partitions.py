"""Stable ranges of input files: the unit of work that a stage commits.

A range depends on the file's bytes and the target size only, never on workers, so a resumed run finds its units.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from utils.data.arrays import is_array, scan_array
from utils.data.inputs import InputFile
from utils.data.lines import count_rows
from utils.data.parquet_rows import refuse_twins
from utils.data.streams import CHUNK, file_chunks, zip_members
from utils.errors import UserError

TARGET_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Partition:
    """A range of one input file; `dataclasses.asdict` of it is JSON.

    Args:
        path: the file.
        relative: the file's path below the input.
        index: 0, 1, 2 … in the file.
        start: first byte, or first row group of a Parquet file.
        end: past the last byte or row group.
        first_row: number of rows of the file before it.
        rows: rows in it; None for a compressed file, which is not opened for counting.
        kind: jsonl, json (an array), parquet, or a compressed kind.
        content: BLAKE2b-128 hex of its bytes as they lie on disk.

    """

    path: str
    relative: str
    index: int
    start: int
    end: int
    first_row: int
    rows: int | None
    kind: str
    content: str

    @property
    def name(self) -> str:
        """A name for files, of A–Z a–z 0–9 . _ - and at most 128 of them; another for every other partition."""
        safe = re.sub(r"[^A-Za-z0-9._-]+", "_", self.relative)[-64:].lstrip(".-_") or "part"
        place = hashlib.blake2b(self.relative.encode(errors="surrogateescape"), digest_size=6).hexdigest()
        return f"{safe}-{place}-{self.index:05d}-{self.content[:16]}"


def plan_partitions(file: InputFile, target_bytes: int = TARGET_BYTES) -> list[Partition]:
    """Cut a file into ranges of about `target_bytes`; an empty file has none.

    Reads the file once or twice in bounded memory. A `.json` file whose first byte is not `[` is taken as lines.

    Raises:
        UserError: a Parquet file without a readable footer or with two columns of one name, or an unsafe zip file.

    """
    if target_bytes < 1:
        raise UserError(f"a partition of {target_bytes} bytes", where="target_bytes", mend="use at least 1")
    if file.kind == "parquet":
        return list(_parquet(file, target_bytes))
    if not (size := file.path.stat().st_size):
        return []
    if file.kind not in ("json", "jsonl"):
        if file.kind == "zip":
            zip_members(file.path)
        return [_partition(file, 0, 0, size, 0, None, file.kind, _digest(file_chunks(file.path)))]
    return list(_json(file, size, target_bytes))


def _json(file: InputFile, size: int, target: int) -> Iterator[Partition]:
    with open(file.path, "rb") as handle:
        if file.kind == "json":
            buffer = mmap(handle.fileno(), 0, access=ACCESS_READ)
            if is_array(buffer):
                yield from _array(file, buffer, target)
                return
        yield from _lines(file, handle, size, target)


def _lines(file: InputFile, handle: BinaryIO, size: int, target: int) -> Iterator[Partition]:
    start = index = first_row = 0
    while start < size:
        end = _past_newline(handle, start + target - 1, size)
        rows = count_rows(file_chunks(file.path, start, end), first=start == 0)
        content = _digest(file_chunks(file.path, start, end))
        yield _partition(file, index, start, end, first_row, rows, "jsonl", content)
        start, index, first_row = end, index + 1, first_row + rows


def _past_newline(handle: BinaryIO, position: int, size: int) -> int:
    handle.seek(min(position, size))
    while chunk := handle.read(min(CHUNK, 1 << 16)):
        if (found := chunk.find(b"\n")) >= 0:
            return handle.tell() - len(chunk) + found + 1
    return size


def _array(file: InputFile, buffer: mmap, target: int) -> Iterator[Partition]:
    size = len(buffer)
    start = index = first_row = rows = 0
    for span in scan_array(buffer):
        rows += 1
        if span.after - start >= target and span.after < size and buffer[span.after - 1] == ord(","):
            yield _array_part(file, index, start, span.after, first_row, rows)
            start, index, first_row, rows = span.after, index + 1, first_row + rows, 0
    yield _array_part(file, index, start, size, first_row, rows)


def _array_part(file: InputFile, index: int, start: int, end: int, first_row: int, rows: int) -> Partition:
    content = _digest(file_chunks(file.path, start, end))
    return _partition(file, index, start, end, first_row, rows, "json", content)


def _parquet(file: InputFile, target: int) -> Iterator[Partition]:
    try:
        footer = pq.read_metadata(file.path)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"not a readable Parquet file: {error}", where=str(file.path), mend="make it again") from None
    refuse_twins(footer.schema.to_arrow_schema(), file.path)
    start = index = first_row = rows = size = 0
    for group in range(footer.num_row_groups):
        rows += footer.row_group(group).num_rows
        size += footer.row_group(group).total_byte_size
        if size >= target or group == footer.num_row_groups - 1:
            content = _digest(_group_bytes(file.path, footer, start, group + 1))
            yield _partition(file, index, start, group + 1, first_row, rows, "parquet", content)
            start, index, first_row, rows, size = group + 1, index + 1, first_row + rows, 0, 0


def _group_bytes(path: Path, footer: pq.FileMetaData, start: int, end: int) -> Iterator[bytes]:
    """Give the schema and the column chunks of row groups [start, end)."""
    yield str(footer.schema.to_arrow_schema()).encode()
    for group in range(start, end):
        for number in range(footer.num_columns):
            column = footer.row_group(group).column(number)
            first = column.data_page_offset
            if column.has_dictionary_page and column.dictionary_page_offset is not None:
                first = min(first, column.dictionary_page_offset)
            yield from file_chunks(path, first, first + column.total_compressed_size)


def _digest(chunks: Iterable[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def _partition(
    file: InputFile, index: int, start: int, end: int, first_row: int, rows: int | None, kind: str, content: str
) -> Partition:
    return Partition(str(file.path), file.relative, index, start, end, first_row, rows, kind, content)
