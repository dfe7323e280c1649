"""`candidates.parquet`: one row per answer, in the order of a content hash."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_pipeline.candidates.flags import flags_of
from data_pipeline.candidates.kinds.reply import Reply
from data_pipeline.prompts import Prompt
from utils.data.records import MESSAGES, read_parquet, to_dicts
from utils.errors import UserError
from utils.runs.manifest import digest

CANDIDATES_SCHEMA = pa.schema(
    [
        ("candidate_id", pa.string()),
        ("prompt_id", pa.string()),
        ("source", pa.string()),
        ("lang", pa.string()),
        ("prompt", MESSAGES),
        ("model", pa.string()),
        ("revision", pa.string()),
        ("sample", pa.int32()),
        ("text", pa.string()),
        ("finish_reason", pa.string()),
        ("tokens", pa.int32()),
        ("seed", pa.int64()),
        ("policy", pa.bool_()),
        ("reference", pa.string()),
        ("flags", pa.list_(pa.string())),
        ("stored_key", pa.string()),
    ]
)
PART_SCHEMA = CANDIDATES_SCHEMA.append(pa.field("error", pa.string()))


def candidate_row(prompt: Prompt, reply: Reply, *, revision: str, seed: int | None, policy: bool) -> dict[str, Any]:
    """Return one row of `PART_SCHEMA`; a reply without a text has an error instead, and no id."""
    text = reply.text
    return {
        "candidate_id": None if text is None else digest([prompt.id, reply.model, reply.sample, text]),
        "prompt_id": prompt.id,
        "source": prompt.source,
        "lang": prompt.lang,
        "prompt": to_dicts(prompt.messages),
        "model": reply.model,
        "revision": revision,
        "sample": reply.sample,
        "text": text,
        "finish_reason": reply.finish_reason,
        "tokens": reply.tokens,
        "seed": seed,
        "policy": policy,
        "reference": prompt.reference,
        "flags": [] if text is None else flags_of(prompt.question, text, reply.finish_reason),
        "stored_key": reply.stored_key,
        "error": reply.error,
    }


def read_candidates(path: Path) -> pa.Table:
    """Return the candidates of a run, or of a file of that form.

    Raises:
        UserError: there are none, or a column is missing.

    """
    return read_table(path, "candidates.parquet", dict.fromkeys(CANDIDATES_SCHEMA.names))


def read_table(path: Path, name: str, columns: Mapping[str, object]) -> pa.Table:
    """Return the table `name` of a run directory, or the file `path` itself, with exactly these columns.

    Raises:
        UserError: there is no such file, or a column is missing.

    """
    file = path / name if path.is_dir() else path
    if not file.is_file():
        raise UserError("no such file", where=str(file), mend=f"name a run that wrote {name}, or such a file")
    table = read_parquet(file)
    if missing := [column for column in columns if column not in table.column_names]:
        raise UserError(f"no column {missing[0]!r}; it has {', '.join(table.column_names)}", where=str(file))
    return table.select(list(columns))
