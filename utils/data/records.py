"""The two types that stages exchange, their content ids, Arrow schemas and Parquet files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from utils.data.parsing import dump_row, parse_row, repair_text
from utils.errors import StageFailedError

ROLES = ("system", "user", "assistant", "document")

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
RECORD_SCHEMA = pa.schema(
    [("id", pa.string()), ("source", pa.string()), ("lang", pa.string()), ("messages", MESSAGES), ("meta", pa.string())]
)
PREFERENCE_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("prompt", MESSAGES),
        ("chosen", MESSAGES),
        ("rejected", MESSAGES),
        ("provenance", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn; `role` is one of `ROLES`."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Record:
    """A conversation, or a pretraining document as one message of role `document`."""

    id: str
    source: str
    lang: str
    messages: tuple[Message, ...]
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Preference:
    """Two continuations of one prompt, the better and the worse."""

    id: str
    source: str
    prompt: tuple[Message, ...]
    chosen: tuple[Message, ...]
    rejected: tuple[Message, ...]
    provenance: dict[str, Any] = field(default_factory=dict)


def content_id(messages: Iterable[Message]) -> str:
    """Return 32 hex digits: BLAKE2b-128 of `[{"content":…,"role":…},…]` as compact UTF-8 JSON.

    Lone surrogates count as U+FFFD. Neither source nor position enters it.
    """
    return turns_id((message.role, message.content) for message in messages)


def turns_id(turns: Iterable[tuple[str, str]]) -> str:
    """Return the `content_id` of messages that are given as (role, content)."""
    listed = [{"content": text, "role": role} for role, text in turns]
    try:
        return raw_id(orjson.dumps(listed))
    except TypeError:  # orjson refuses lone surrogates, and nothing else in texts
        return raw_id(orjson.dumps([turn | {"content": repair_text(turn["content"])} for turn in listed]))


def preference_id(prompt: Iterable[Message], chosen: Iterable[Message], rejected: Iterable[Message]) -> str:
    """Return 32 hex digits: BLAKE2b-128 of the three message lists under their sorted names."""
    lists = {"chosen": _canonical(chosen), "prompt": _canonical(prompt), "rejected": _canonical(rejected)}
    return raw_id(orjson.dumps(lists))


def raw_id(raw: bytes) -> str:
    """Return 32 hex digits: BLAKE2b-128 of the bytes; the id of a row that could not be read."""
    return hashlib.blake2b(raw, digest_size=16).hexdigest()


def record_to_row(record: Record) -> dict[str, Any]:
    """Return the record as a JSON row with the schema's keys, `meta` as an object."""
    return {
        "id": record.id,
        "source": record.source,
        "lang": record.lang,
        "messages": to_dicts(record.messages),
        "meta": record.meta,
    }


def to_dicts(messages: Iterable[Message]) -> list[dict[str, str]]:
    """Return the messages as `[{"role":…,"content":…},…]`."""
    return [{"role": message.role, "content": message.content} for message in messages]


def from_dicts(messages: Iterable[dict[str, str]]) -> tuple[Message, ...]:
    """Return the inverse of `to_dicts`."""
    return tuple(Message(message["role"], message["content"]) for message in messages)


def records_to_table(records: Sequence[Record]) -> pa.Table:
    """Return one row per record under `RECORD_SCHEMA`."""
    rows = [record_to_row(record) | {"meta": dump_row(record.meta).decode()} for record in records]
    return pa.Table.from_pylist(rows, schema=RECORD_SCHEMA)


def table_to_records(table: pa.Table) -> list[Record]:
    """Return the inverse of `records_to_table`; columns beyond the schema are ignored."""
    rows = table.select(RECORD_SCHEMA.names).to_pylist()
    return [
        Record(row["id"], row["source"], row["lang"], from_dicts(row["messages"]), load_object(row["meta"]))
        for row in rows
    ]


def preferences_to_table(preferences: Sequence[Preference]) -> pa.Table:
    """Return one row per pair under `PREFERENCE_SCHEMA`."""
    rows = [
        {
            "id": pair.id,
            "source": pair.source,
            "prompt": to_dicts(pair.prompt),
            "chosen": to_dicts(pair.chosen),
            "rejected": to_dicts(pair.rejected),
            "provenance": dump_row(pair.provenance).decode(),
        }
        for pair in preferences
    ]
    return pa.Table.from_pylist(rows, schema=PREFERENCE_SCHEMA)


def table_to_preferences(table: pa.Table) -> list[Preference]:
    """Return the inverse of `preferences_to_table`; columns beyond the schema are ignored."""
    return [
        Preference(
            row["id"],
            row["source"],
            from_dicts(row["prompt"]),
            from_dicts(row["chosen"]),
            from_dicts(row["rejected"]),
            load_object(row["provenance"]),
        )
        for row in table.select(PREFERENCE_SCHEMA.names).to_pylist()
    ]


def write_parquet(table: pa.Table, path: str | Path) -> None:
    """Write with zstd and a checksum on every page; publishing the file is the caller's."""
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)


def read_parquet(path: str | Path, columns: list[str] | None = None) -> pa.Table:
    """Read a table and verify its page checksums.

    Raises:
        StageFailedError: the file is damaged.

    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            return file.read(columns=columns)
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise StageFailedError(
            f"the Parquet file is damaged: {error}", where=str(path), mend="run the step that wrote it again"
        ) from error


def load_object(text: str | None) -> dict[str, Any]:
    """Return the object in a JSON text column; null is an empty one."""
    if not text:
        return {}
    parsed = parse_row(text.encode())
    if parsed.row is None:
        raise ValueError(parsed.error)
    return parsed.row


def _canonical(messages: Iterable[Message]) -> list[dict[str, str]]:
    return [{"content": repair_text(message.content), "role": message.role} for message in messages]
