"""`judgements.parquet`: one row per answer, valid or not."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from data_pipeline.candidates.table import read_table

JUDGEMENTS_SCHEMA = pa.schema(
    [
        ("candidate_id", pa.string()),
        ("prompt_id", pa.string()),
        ("judge", pa.string()),
        ("score", pa.float64()),
        ("valid", pa.bool_()),
        ("detail", pa.string()),
    ]
)


def read_judgements(path: Path) -> pa.Table:
    """Return the judgements of a run, or of a file of that form.

    Raises:
        UserError: there are none, or a column is missing.

    """
    return read_table(path, "judgements.parquet", dict.fromkeys(JUDGEMENTS_SCHEMA.names))
