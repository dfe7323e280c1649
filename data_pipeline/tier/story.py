"""What a tier run has to tell of a row, for `posttrain why`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

MATCHES = "evaluation_matches.parquet"
CONTROLS = "controls/members.parquet"


def tell(run: Path, row_id: str, manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a row's decisions: where it went or why not, which evaluation prompt it repeats, its controls."""
    del manifest
    found = _rows(run / "ledger" / "decisions.parquet", row_id)
    repeated = _rows(run / MATCHES, row_id)
    controls = [row["control"] for row in _rows(run / CONTROLS, row_id)]
    for row in found:
        into = f" → {row['into']}" if row["into"] else ""
        event = {"stage": "tier", "run": str(run), "what": row["status"] + into, "reasons": row["reasons"]}
        for match in repeated[:1]:
            event["repeats"] = match["reference_text"]
            event["of"] = f"{match['reference_file']} row {match['reference_row']}"
            event["similarity"] = round(match["similarity"], 3)
        yield {**event, **({"controls": controls} if controls else {})}


def _rows(path: Path, row_id: str) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return pl.scan_parquet(path, glob=False).filter(pl.col("id") == row_id).collect().to_dicts()
