"""The rows of a partition, good and bad, each with its place; nothing is lost and nothing is guessed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import NamedTuple

from utils.data.arrays import NOT_CLOSED, Span, is_array, scan_array
from utils.data.lines import BLANK, BOM, KEPT, Lines, cut_lines
from utils.data.parquet_rows import parquet_rows
from utils.data.parsing import Utf8Policy, parse_rows
from utils.data.partitions import Partition
from utils.data.raw_rows import RawRow, RawRows
from utils.data.streams import CHUNK, BrokenStreamError, file_chunks, gzip_chunks, zip_chunks, zip_members, zstd_chunks
from utils.errors import UserError

__all__ = ["MAX_ROW_BYTES", "REPAIRED_BOM", "RawRow", "RawRows", "read_batches", "read_partition"]

MAX_ROW_BYTES = 64 << 20
REPAIRED_BOM = "byte order mark skipped"

_BATCH_BYTES = 64 << 20
_SPANS = 1024


class _Rules(NamedTuple):
    max_row_bytes: int
    invalid_utf8: Utf8Policy
    parse: bool = True


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
    for rows in _groups(partition, _Rules(max_row_bytes, invalid_utf8)):
        yield from rows


def read_batches(
    partition: Partition,
    size: int,
    *,
    max_row_bytes: int = MAX_ROW_BYTES,
    invalid_utf8: Utf8Policy = "quarantine",
    parse: bool = True,
) -> Iterator[RawRows]:
    """Give the rows that `read_partition` gives, `size` at a time; fewer where they are long, and at the end.

    Args:
        partition: made by `plan_partitions`.
        size: number of rows.
        max_row_bytes: as in `read_partition`.
        invalid_utf8: as in `read_partition`.
        parse: False leaves JSON as bytes: `rows` are None, and what parsing would find is in neither `errors` nor
            `repairs`. Parquet rows are there all the same.

    Raises:
        UserError: as `read_partition`.

    """
    held, held_bytes = RawRows(0, [], [], [], {}, {}), 0
    for rows in _groups(partition, _Rules(max_row_bytes, invalid_utf8, parse)):
        if len(held):
            held.extend(rows)
        else:
            held = rows
        held_bytes += sum(map(len, rows.raws))
        while len(held) >= size or held_bytes >= _BATCH_BYTES:
            yield held[:size]
            held = held[size:]
            held_bytes = sum(map(len, held.raws))
    if len(held):
        yield held


def _groups(partition: Partition, rules: _Rules) -> Iterator[RawRows]:
    """Give the rows as they come: those of a chunk of bytes, of a thousand elements or of a Parquet batch together."""
    path = Path(partition.path)
    if not path.is_file():
        raise UserError("the input file has gone", where=str(path), mend="put it back, or start a new run")
    if partition.kind == "parquet":
        return parquet_rows(path, partition.start, partition.end, partition.first_row)
    if partition.kind == "json":
        buffer = _mapped(path)
        spans = scan_array(buffer, partition.start, partition.end)
        return _array_groups(buffer, spans, partition.first_row, rules)
    if partition.kind == "jsonl":
        chunks = file_chunks(path, partition.start, partition.end)
        return _line_groups(chunks, partition.first_row, partition.start, rules)
    return _compressed_groups(path, partition.kind, rules)


def _mapped(path: Path) -> mmap:
    """Map a file; never closed by hand, for a reader that is left half-way still points into it."""
    with open(path, "rb") as file:
        return mmap(file.fileno(), 0, access=ACCESS_READ)


def _line_groups(chunks: Iterable[bytes], number: int, offset: int, rules: _Rules) -> Iterator[RawRows]:
    try:
        for lines in cut_lines(chunks, rules.max_row_bytes, offset):
            rows = _line_rows(lines, number, rules)
            yield rows
            number += len(rows)
    except BrokenStreamError as error:
        reason, rest, place = error.args
        yield RawRows(number, [place], [rest], [None], {0: reason}, {})


def _line_rows(lines: Lines, number: int, rules: _Rules) -> RawRows:
    """Return the rows of lines: a byte order mark is skipped, blank lines are no rows."""
    offsets, raws, over = lines
    if marked := offsets[0] == 0 and raws[0].startswith(BOM):
        raws[0] = raws[0][len(BOM) :]
    if blank := {i for i, raw in enumerate(raws) if not raw.strip(BLANK) and i not in over}:
        solid = [i for i in range(len(raws)) if i not in blank]
        offsets, raws = [offsets[i] for i in solid], [raws[i] for i in solid]
        over = {i: over[j] for i, j in enumerate(solid) if j in over}
        marked = marked and 0 not in blank
    rows = _rows(number, offsets, raws, {i: _too_long(size, rules.max_row_bytes) for i, size in over.items()}, rules)
    if marked and 0 not in over:
        rows.repairs[0] = (REPAIRED_BOM, *rows.repairs.get(0, ()))
    return rows


def _rows(number: int, offsets: list[int], raws: list[bytes], faults: dict[int, str], rules: _Rules) -> RawRows:
    """Return rows, parsed where they have no fault yet."""
    if not rules.parse:
        return RawRows(number, offsets, raws, [None] * len(raws), faults, {})
    whole = [b"" if i in faults else raw for i, raw in enumerate(raws)] if faults else raws
    rows, errors, repairs = parse_rows(whole, rules.invalid_utf8)
    return RawRows(number, offsets, raws, rows, {**errors, **faults}, repairs)


def _array_groups(
    buffer: bytes | mmap, spans: Iterator[Span], number: int, rules: _Rules, broken: str | None = None
) -> Iterator[RawRows]:
    limit = rules.max_row_bytes
    while found := _some(spans):
        raws, faults = [], {}
        for i, (start, end, _, error) in enumerate(found):
            size = end - start
            raws.append(buffer[start : start + (size if size <= limit else KEPT)])
            if size > limit:
                faults[i] = _too_long(size, limit)
            elif error:
                faults[i] = broken if broken and error == NOT_CLOSED else error
        yield _rows(number, [span.start for span in found], raws, faults, rules)
        number += len(found)


def _some(spans: Iterator[Span]) -> list[Span]:
    """Take the next spans: a thousand, or fewer when they are long."""
    found: list[Span] = []
    size = 0
    for span in islice(spans, _SPANS):
        found.append(span)
        size += span.end - span.start
        if size >= CHUNK:
            break
    return found


def _compressed_groups(path: Path, kind: str, rules: _Rules) -> Iterator[RawRows]:
    number = offset = 0
    for name, chunks in _streams(path, kind):
        counted = _Counted(chunks)
        groups = _unpacked_groups(counted, rules) if name.endswith(".json") else _line_groups(counted, 0, 0, rules)
        for rows in groups:
            rows.first = number
            rows.offsets = [place + offset for place in rows.offsets] if offset else rows.offsets
            yield rows
            number += len(rows)
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


def _unpacked_groups(chunks: Iterable[bytes], rules: _Rules) -> Iterator[RawRows]:
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
            yield from [RawRows(0, [0], [b""], [None], {0: str(broken)}, {})] if broken else []
            return
        yield from _buffer_groups(mmap(file.fileno(), 0, access=ACCESS_READ), rules, broken)


def _buffer_groups(buffer: mmap, rules: _Rules, broken: BrokenStreamError | None) -> Iterator[RawRows]:
    if not is_array(buffer):
        yield from _line_groups(_then_break(_slices(buffer), broken), 0, 0, rules)
        return
    number, reason, told = 0, str(broken) if broken else None, False
    for rows in _array_groups(buffer, scan_array(buffer), 0, rules, reason):
        number, told = number + len(rows), told or (reason is not None and reason in rows.errors.values())
        yield rows
    if broken and not told:
        yield RawRows(number, [len(buffer)], [b""], [None], {0: str(reason)}, {})


def _slices(buffer: mmap) -> Iterator[bytes]:
    for start in range(0, len(buffer), CHUNK):
        yield buffer[start : start + CHUNK]


def _then_break(chunks: Iterable[bytes], broken: BrokenStreamError | None) -> Iterator[bytes]:
    yield from chunks
    if broken:
        raise broken


def _too_long(size: int, limit: int) -> str:
    return f"{size} bytes, over max_row_bytes {limit}"
