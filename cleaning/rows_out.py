"""How a row is written: its raw bytes with the clean_* keys spliced in, or re-serialised when a rule changed it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from utils.data.formats import Row
from utils.data.parsing import dump_row
from utils.data.reading import REPAIRED_BOM, RawRows

CLEAN_SCHEMA = pa.schema(
    [
        ("clean_id", pa.string()),
        ("clean_status", pa.int8()),
        ("clean_policy", pa.string()),
        ("clean_reasons", pa.list_(pa.string())),
    ]
)
CLEAN_KEYS = tuple(CLEAN_SCHEMA.names)

# A JSON string holds no raw line end, so blanks around one are always between tokens.
_LINE_END = re.compile(rb"[ \t]*[\r\n][ \t\r\n]*")
_LF, _CR = b"\n\r"  # as numbers: looked for with memchr
_BATCH_ROWS = 8192


class Mark(NamedTuple):
    """What cleaning says of a row."""

    id: str
    reasons: Sequence[str]

    def keys(self) -> dict[str, Any]:
        """Return the clean_* keys; `clean_policy` is the first failing rule."""
        first = self.reasons[0] if self.reasons else ""
        status = int(not self.reasons)
        return dict(zip(CLEAN_KEYS, (self.id, status, first, list(self.reasons)), strict=True))


def is_plain(row: Row, repairs: Sequence[str]) -> bool:
    """Tell whether a row's bytes may be written as they are: they say what was read, and carry no mark of ours."""
    return row.keys().isdisjoint(CLEAN_KEYS) and (not repairs or all(repair == REPAIRED_BOM for repair in repairs))


def plain_rows(rows: RawRows) -> list[bool]:
    """Return `is_plain` of every row; False for one that was not read."""
    plain = [row is not None and row.keys().isdisjoint(CLEAN_KEYS) for row in rows.rows]
    for i, repairs in rows.repairs.items():
        plain[i] = is_plain(rows.rows[i] or {}, repairs) and plain[i]
    return plain


def marked_line(raw: bytes, changed: Row | None, mark: Mark) -> bytes:
    """Return one line of JSONL without its end: the bytes of a plain row, or what it says now, and the mark."""
    return splice(raw, mark) if changed is None else dump_marked(changed, mark)


def splice(raw: bytes, mark: Mark) -> bytes:
    """Return the bytes of a plain row (a JSON object with a key) as one line, the mark before its last brace."""
    if _LF in raw or _CR in raw:
        raw = _LINE_END.sub(b" ", raw)
    given, reasons = mark
    # An id is hexadecimal digits: nothing in it needs escaping.
    return b'%b,"clean_id":"%b",%b' % (raw.strip()[:-1].rstrip(), given.encode(), _after_id(*reasons))


def dump_marked(row: Row, mark: Mark) -> bytes:
    """Return a row as one line of JSON; a mark that it carries already is written anew."""
    if not row.keys().isdisjoint(CLEAN_KEYS):
        row = {key: value for key, value in row.items() if key not in CLEAN_KEYS}
    given, reasons = mark
    comma = b"," if row else b""
    return b'%b%b"clean_id":"%b",%b' % (dump_row(row)[:-1], comma, given.encode(), _after_id(*reasons))


@lru_cache(maxsize=1024)
def _after_id(*reasons: str) -> bytes:
    """Return the keys of a mark that follow `clean_id`, and the closing brace."""
    keys = Mark("", reasons).keys()
    del keys["clean_id"]
    return orjson.dumps(keys)[1:]


class RowWriter(Protocol):
    """Takes rows in order."""

    def write(self, rows: RawRows, which: Sequence[int], changed: Mapping[int, Row], marks: Sequence[Mark]) -> None:
        """Write some of the rows, by position; `changed` has what is said by those that are not plain."""

    def close(self) -> None:
        """Write what is held back."""


class JsonlWriter:
    """Rows as uncompressed JSONL."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, rows: RawRows, which: Sequence[int], changed: Mapping[int, Row], marks: Sequence[Mark]) -> None:
        """Write a line each."""
        lines = [marked_line(rows.raws[i], changed.get(i), marks[i]) for i in which]
        self._stream.write(b"\n".join([*lines, b""]))

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


class ParquetWriter:
    """Rows as Parquet, with the input's schema and the clean_* columns."""

    def __init__(self, path: Path, source: Path) -> None:
        schema = pq.read_schema(source)
        kept = [column for column in schema if column.name not in CLEAN_KEYS]
        self._schema = pa.schema([*kept, *CLEAN_SCHEMA], metadata=schema.metadata)
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd", write_page_checksum=True)
        self._held: list[Row] = []

    def write(self, rows: RawRows, which: Sequence[int], changed: Mapping[int, Row], marks: Sequence[Mark]) -> None:
        """Hold rows, write a batch."""
        for i in which:
            self._held.append({**changed.get(i, rows.rows[i] or {}), **marks[i].keys()})
            if len(self._held) >= _BATCH_ROWS:
                self._flush()

    def close(self) -> None:
        """Write the last batch and the footer."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(pa.Table.from_pylist(self._held, schema=self._schema))
            self._held = []


def open_writer(path: Path, source: Path, *, parquet: bool) -> RowWriter:
    """Return a writer for a part of the output of `source`."""
    return ParquetWriter(path, source) if parquet else JsonlWriter(path.open("wb"))
