"""The decision ledger: one narrow row per input row, no text, one fixed schema in every part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from utils.data.records import write_parquet
from utils.errors import StageFailedError

_NAME = pa.dictionary(pa.int32(), pa.string())

LEDGER_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("source_file", pa.string()),
        ("source_row", pa.int64()),
        ("status", _NAME),
        ("reasons", pa.list_(_NAME)),
        ("duplicate_of", pa.string()),
        ("similarity", pa.float32()),
        ("cluster", pa.string()),
        ("edits", pa.list_(pa.struct([("rule", pa.string()), ("count", pa.int32())]))),
    ]
)
DECISIONS_SCHEMA = pa.schema(
    [("id", pa.string()), ("status", pa.string()), ("reasons", pa.list_(pa.string())), ("into", pa.string())]
)


def ledger_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Return the rows under `LEDGER_SCHEMA`; absent columns are null, unknown ones an error.

    Raises:
        StageFailedError: a key outside the schema or a value of another type.

    """
    return _table(rows, LEDGER_SCHEMA)


def decisions_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Return the rows under `DECISIONS_SCHEMA`, as `ledger_table` does."""
    return _table(rows, DECISIONS_SCHEMA)


def write_ledger(table: pa.Table, path: str | Path) -> None:
    """Write one ledger part.

    Raises:
        StageFailedError: its schema is not exactly `LEDGER_SCHEMA`.

    """
    _write(table, path, LEDGER_SCHEMA)


def write_decisions(table: pa.Table, path: str | Path) -> None:
    """Write a stage's decisions.

    Raises:
        StageFailedError: its schema is not exactly `DECISIONS_SCHEMA`.

    """
    _write(table, path, DECISIONS_SCHEMA)


def assert_balanced(counts: Mapping[str, Any], where: str | None = None) -> None:
    """Hold `in = kept + dropped + quarantined`, and `by_reason` (if given) to sum to `dropped`.

    Args:
        counts: numbers of rows under `in`, `kept`, `dropped`, `quarantined` (absent ones count 0), and `by_reason`,
            a mapping of the first reason to its rows.
        where: the stage or unit, for the message.

    Raises:
        StageFailedError: rows were lost or counted twice.

    """
    total, kept, dropped, quarantined = (int(counts.get(k, 0)) for k in ("in", "kept", "dropped", "quarantined"))
    if total != kept + dropped + quarantined or min(total, kept, dropped, quarantined) < 0:
        raise StageFailedError(
            f"rows do not balance: in {total} != kept {kept} + dropped {dropped} + quarantined {quarantined}",
            where=where,
        )
    by_reason = counts.get("by_reason")
    if by_reason is not None and sum(by_reason.values()) != dropped:
        raise StageFailedError(
            f"reasons do not balance: dropped {dropped} != {sum(by_reason.values())} by reason {dict(by_reason)}",
            where=where,
        )


def _table(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    listed = [dict(row) for row in rows]
    unknown = sorted({key for row in listed for key in row} - set(schema.names))
    if unknown:
        raise StageFailedError(f"not in the ledger's schema: {', '.join(unknown)}; it has {', '.join(schema.names)}")
    try:
        return pa.Table.from_pylist(listed, schema=schema)
    except (pa.ArrowException, TypeError) as error:
        raise StageFailedError(f"a ledger row has a value of another type: {error}") from error


def _write(table: pa.Table, path: str | Path, schema: pa.Schema) -> None:
    if not table.schema.equals(schema):
        wrong = [str(f) for f in table.schema if f.name not in schema.names or schema.field(f.name) != f]
        missing = [name for name in schema.names if name not in table.schema.names]
        raise StageFailedError(f"not the ledger's schema: wrong {wrong}, missing {missing}", where=str(path))
    write_parquet(table, path)
