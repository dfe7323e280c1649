"""`drafts.parquet`, one row per draft and per request that failed, and the rows that training reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from data_pipeline.self_instruct.tasks import Row
from utils.data.formats import format_named
from utils.data.records import content_id

DRAFTS_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("similar_to", pa.string()),
        ("similarity", pa.float64()),
        ("instruction", pa.string()),
        ("input", pa.string()),
        ("output", pa.string()),
        ("is_classification", pa.bool_()),
        ("verified", pa.string()),
        ("raw", pa.string()),
        ("batch", pa.int32()),
        ("prompt", pa.int32()),
        ("seed_ids", pa.list_(pa.string())),
        ("pool_ids", pa.list_(pa.string())),
        ("model", pa.string()),
        ("request_seed", pa.int64()),
        ("node", pa.string()),
        ("error", pa.string()),
    ]
)


def task_id(instruction: str, given: str, output: str) -> str:
    """Return the id that the task has as a record: 32 hex digits of its content."""
    row = {"instruction": instruction, "input": given, "output": output}
    return content_id(format_named("alpaca").messages(row))


def training_row(draft: Row, form: str, about: dict[str, Any]) -> Row:
    """Return an accepted draft in a format of ours, with where it comes from beside it, in plain values."""
    provenance = {
        **about,
        "model": draft["model"],
        "seed_ids": " ".join(draft["seed_ids"]),
        "pool_ids": " ".join(draft["pool_ids"]),
        "is_classification": draft["is_classification"],
        "verified": draft["verified"],
        **({"node": draft["node"]} if draft["node"] else {}),
    }
    instruction, given, output = draft["instruction"], draft["input"], draft["output"]
    if form == "seed_task":
        return {
            "id": draft["id"],
            "instruction": instruction,
            "instances": [{"input": given, "output": output}],
            **provenance,
        }
    row = {"instruction": instruction, "input": given, "output": output}
    if form == "chat":
        messages = format_named("alpaca").messages(row)
        row = {"messages": [{"role": turn.role, "content": turn.content} for turn in messages]}
    return {"id": draft["id"], **row, **provenance}


def drafts_table(rows: Iterable[Row]) -> pa.Table:
    """Return the rows under `DRAFTS_SCHEMA`; absent columns are null."""
    return pa.Table.from_pylist(list(rows), schema=DRAFTS_SCHEMA)
