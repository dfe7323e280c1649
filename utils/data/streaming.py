"""Records and pairs of files that a stage of ours wrote, or that a user vouches for: a bad row stops the stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from utils.data.formats import Format, RowError, detect
from utils.data.inputs import Input, InputFile, find_files
from utils.data.parquet_rows import refuse_twins
from utils.data.partitions import plan_partitions
from utils.data.reading import RawRow, read_partition
from utils.data.records import (
    PREFERENCE_SCHEMA,
    RECORD_SCHEMA,
    ROLES,
    Preference,
    Record,
    from_dicts,
    table_to_preferences,
    table_to_records,
)
from utils.data.rows import preference_from_row, record_from_row
from utils.errors import StageFailedError, UserError

_PLAN_BYTES = 1 << 40  # one partition per file: this reader is one process
_BATCH_ROWS = 4096
_RECORD_KEYS = set(RECORD_SCHEMA.names)
_MEND = "clean the input first (posttrain clean), or name its `format:`"

Item = TypeVar("Item")


def iter_records(source: Input, *, format: str | None = None, text_field: str | None = None) -> Iterator[Record]:
    """Give every record of an input: tables and rows of the record schema as they are, others by their format.

    Args:
        source: a file, a glob, a directory, a finished run, or a list of them.
        format: the rows' format, when their keys leave it open.
        text_field: the column that is the text.

    Raises:
        UserError: nothing readable, or a bad row: file and line are named.

    """

    def convert(row: dict[str, Any], fmt: Format | None, name: str) -> Record:
        return _own_record(row) if fmt is None else record_from_row(row, fmt, name)

    plain = format is None and text_field is None
    for file in find_files(source):
        if plain and _has_schema(file, RECORD_SCHEMA):
            yield from _tables(file, table_to_records)
        else:
            yield from _converted(file, format, text_field, convert)


def iter_preferences(source: Input, *, format: str | None = None) -> Iterator[Preference]:
    """Give every preference pair of an input; arguments and errors as `iter_records`."""

    def convert(row: dict[str, Any], fmt: Format | None, name: str) -> Preference:
        if fmt is None:
            raise RowError("a record, not a preference pair")
        own = row.get("source")
        return preference_from_row(row, fmt, own if isinstance(own, str) and own else name)

    for file in find_files(source):
        if format is None and _has_schema(file, PREFERENCE_SCHEMA):
            yield from _tables(file, table_to_preferences)
        else:
            yield from _converted(file, format, None, convert)


def source_name(file: InputFile) -> str:
    """Return the name under which a file's rows are known: its relative path without suffixes."""
    path = PurePosixPath(file.relative)
    return path.with_name(path.name.split(".")[0] or path.name).as_posix()


def _converted(
    file: InputFile,
    name: str | None,
    text_field: str | None,
    convert: Callable[[dict[str, Any], Format | None, str], Item],
) -> Iterator[Item]:
    fmt: Format | None = None
    plain, source = name is None and text_field is None, source_name(file)
    for partition in plan_partitions(file, _PLAN_BYTES):
        for raw in read_partition(partition):
            row = _checked(raw, file)
            own = plain and row.keys() == _RECORD_KEYS
            if not own and fmt is None:
                fmt = detect(row, name=name, text_field=text_field, where=_place(file, raw))
            try:
                yield convert(row, None if own else fmt, source)
            except RowError as error:
                raise UserError(str(error), where=_place(file, raw), mend=_MEND) from None


def _checked(raw: RawRow, file: InputFile) -> dict[str, Any]:
    if raw.row is None:
        raise UserError(str(raw.error), where=_place(file, raw), mend=_MEND)
    return raw.row


def _place(file: InputFile, raw: RawRow) -> str:
    return f"{file.path}, row {raw.source_row + 1}"


def _own_record(row: dict[str, Any]) -> Record:
    texts = all(isinstance(row[key], str) for key in ("id", "source", "lang"))
    messages = row["messages"]
    if not (texts and isinstance(messages, list) and messages and isinstance(row["meta"], dict)):
        raise RowError("not a record: id, source and lang are texts, messages a list, meta an object")
    for message in messages:
        if (
            not isinstance(message, dict)
            or message.get("role") not in ROLES
            or not isinstance(message.get("content"), str)
        ):
            raise RowError(f"not a message: role must be one of {', '.join(ROLES)}, content a text")
    return Record(row["id"], row["source"], row["lang"], from_dicts(messages), row["meta"])


def _has_schema(file: InputFile, schema: pa.Schema) -> bool:
    if file.kind != "parquet":
        return False
    try:
        found = pq.read_schema(file.path)
    except (OSError, pa.ArrowException) as error:
        raise StageFailedError(f"not a readable Parquet file: {error}", where=str(file.path)) from None
    refuse_twins(found, file.path)
    return set(schema.names) <= set(found.names)


def _tables(file: InputFile, convert: Callable[[pa.Table], list[Item]]) -> Iterator[Item]:
    try:
        with pq.ParquetFile(file.path, page_checksum_verification=True) as parquet:
            for batch in parquet.iter_batches(_BATCH_ROWS):
                yield from convert(pa.Table.from_batches([batch]))
    except (OSError, pa.ArrowException) as error:
        mend = "run the step that wrote it again"
        raise StageFailedError(f"the Parquet file is damaged: {error}", where=str(file.path), mend=mend) from error
