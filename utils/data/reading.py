"""The rows of a partition, good and bad, each with its place; nothing is lost and nothing is guessed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, NamedTuple

from utils.data.arrays import NOT_CLOSED, Span, is_array, scan_array
from utils.data.lines import BLANK, BOM, KEPT, cut_lines
from utils.data.parquet_rows import parquet_rows
from utils.data.parsing import Parsed, Utf8Policy, parse_row
from utils.data.partitions import Partition
from utils.data.streams import CHUNK, BrokenStreamError, file_chunks, gzip_chunks, zip_chunks, zip_members, zstd_chunks
from utils.errors import UserError

MAX_ROW_BYTES = 64 << 20
REPAIRED_BOM = "byte order mark skipped"


class RawRow(NamedTuple):
    """One row as it lies in the file.

    `row` or `error` is None, never both. `raw` has no line end and no byte order mark; of a row that is too long it
    is the first 64 KiB. `byte_offset` counts in the uncompressed bytes of the file (of a zip: of its members in
    order), and is the row's number in a Parquet file. When `repairs` is not empty, `row` is not what `raw` says.
    """

    source_row: int
    byte_offset: int
    raw: bytes
    row: dict[str, Any] | None
    error: str | None
    repairs: tuple[str, ...] = ()


_NONE: tuple[str, ...] = ()


class _Rules(NamedTuple):
    max_row_bytes: int
    invalid_utf8: Utf8Policy


def read_partition(
    partition: Partition, *, max_row_bytes: int = MAX_ROW_BYTES, invalid_utf8: Utf8Policy = "quarantine"
) -> Iterator[RawRow]:
    """Give the rows of a partition in order, bad ones with their error.

    Args:
        partition: made by `plan_partitions`.
        max_row_bytes: a longer row is an error, and only its beginning is held.
        invalid_utf8: `replace` puts U+FFFD for bytes that are not UTF-8 and says so in `repairs`.

    Raises:
        UserError: the file has gone, or a zip file is unsafe.

    """
    path, rules = Path(partition.path), _Rules(max_row_bytes, invalid_utf8)
    if not path.is_file():
        raise UserError("the input file has gone", where=str(path), mend="put it back, or start a new run")
    if partition.kind == "parquet":
        for number, raw, row, error in parquet_rows(path, partition.start, partition.end, partition.first_row):
            yield RawRow(number, number, raw, row, error)
    elif partition.kind == "json":
        buffer = _mapped(path)
        spans = scan_array(buffer, partition.start, partition.end)
        yield from _array_rows(buffer, spans, partition.first_row, rules)
    elif partition.kind == "jsonl":
        chunks = file_chunks(path, partition.start, partition.end)
        yield from _line_rows(chunks, partition.first_row, partition.start, rules)
    else:
        yield from _compressed_rows(path, partition.kind, rules)


def _mapped(path: Path) -> mmap:
    """Map a file; never closed by hand, for a reader that is left half-way still points into it."""
    with open(path, "rb") as file:
        return mmap(file.fileno(), 0, access=ACCESS_READ)


def _line_rows(chunks: Iterable[bytes], number: int, offset: int, rules: _Rules) -> Iterator[RawRow]:
    limit, utf8 = rules
    try:
        for place, line, size in cut_lines(chunks, limit, offset):
            raw, repairs = line, _NONE
            if place == 0 and line.startswith(BOM):
                raw, repairs = line[len(BOM) :], (REPAIRED_BOM,)
            if size:
                yield RawRow(number, place, raw, None, _too_long(size, limit))
            elif raw.strip(BLANK):
                parsed = parse_row(raw, utf8)
                yield RawRow(number, place, raw, parsed.row, parsed.error, (*repairs, *parsed.repairs))
            else:
                continue
            number += 1
    except BrokenStreamError as error:
        reason, rest, place = error.args
        yield RawRow(number, place, rest, None, reason)


def _array_rows(
    buffer: bytes | mmap, spans: Iterable[Span], number: int, rules: _Rules, broken: str | None = None
) -> Iterator[RawRow]:
    for row, span in enumerate(spans, number):
        size = span.end - span.start
        raw = buffer[span.start : span.start + (size if size <= rules.max_row_bytes else KEPT)]
        if size > rules.max_row_bytes:
            parsed = Parsed(None, _too_long(size, rules.max_row_bytes))
        elif span.error:
            parsed = Parsed(None, broken if broken and span.error == NOT_CLOSED else span.error)
        else:
            parsed = parse_row(raw, rules.invalid_utf8)
        yield RawRow(row, span.start, raw, *parsed)


def _compressed_rows(path: Path, kind: str, rules: _Rules) -> Iterator[RawRow]:
    number = offset = 0
    for name, chunks in _streams(path, kind):
        counted = _Counted(chunks)
        rows = _unpacked_rows(counted, rules) if name.endswith(".json") else _line_rows(counted, 0, 0, rules)
        for row in rows:
            yield row._replace(source_row=number, byte_offset=row.byte_offset + offset)
            number += 1
        offset += counted.size


def _streams(path: Path, kind: str) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Give name and bytes of the one stream of a .gz or .zst, or of every member of a .zip."""
    if kind == "zip":
        for member in zip_members(path):
            yield member.lower(), zip_chunks(path, member)
        return
    inner, _, packed = kind.partition(".")
    yield f".{inner}", (gzip_chunks if packed == "gz" else zstd_chunks)(path)


class _Counted:
    """Chunks, and how many bytes they were."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.chunks = chunks
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.chunks:
            self.size += len(chunk)
            yield chunk


def _unpacked_rows(chunks: Iterable[bytes], rules: _Rules) -> Iterator[RawRow]:
    """Give the rows of a compressed .json: unpacked to a nameless temporary file, for an array needs all of it."""
    with tempfile.TemporaryFile() as file:
        broken: BrokenStreamError | None = None
        try:
            for chunk in chunks:
                file.write(chunk)
        except BrokenStreamError as error:
            broken = error
        file.flush()
        size = file.tell()
        if not size:
            yield from [RawRow(0, 0, b"", None, str(broken))] if broken else []
            return
        yield from _buffer_rows(mmap(file.fileno(), 0, access=ACCESS_READ), rules, broken)


def _buffer_rows(buffer: mmap, rules: _Rules, broken: BrokenStreamError | None) -> Iterator[RawRow]:
    if not is_array(buffer):
        yield from _line_rows(_then_break(_slices(buffer), broken), 0, 0, rules)
        return
    number, reason, told = -1, str(broken) if broken else None, False
    for row in _array_rows(buffer, scan_array(buffer), 0, rules, reason):
        number, told = row.source_row, told or (reason is not None and row.error == reason)
        yield row
    if broken and not told:
        yield RawRow(number + 1, len(buffer), b"", None, reason)


def _slices(buffer: mmap) -> Iterator[bytes]:
    for start in range(0, len(buffer), CHUNK):
        yield buffer[start : start + CHUNK]


def _then_break(chunks: Iterable[bytes], broken: BrokenStreamError | None) -> Iterator[bytes]:
    yield from chunks
    if broken:
        raise broken


def _too_long(size: int, limit: int) -> str:
    return f"{size} bytes, over max_row_bytes {limit}"
