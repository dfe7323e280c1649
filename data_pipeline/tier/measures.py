"""What was measured of the rows, joined by id: numbers, tags and clusters, and the vectors that a tier compares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from data_pipeline.attributes.kinds.embedding import vectors_of
from data_pipeline.attributes.store import load_columns, numeric_columns
from utils.data.records import read_parquet
from utils.errors import UserError
from utils.runs.commit import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from data_pipeline.tier.config import TierConfig

_VECTOR = "embedding"


def with_measures(rows: pl.DataFrame, config: TierConfig) -> pl.DataFrame:
    """Return the rows with a column for every measure that the config names, and `tokens`.

    A row that was not measured has null. A column that is no number (a tag, a cluster's name) becomes a list, empty
    where the attribute found nothing.

    Raises:
        UserError: an attribute or column that is not there, or no number where one is needed.

    """
    frame = rows
    for name in config.columns:
        frame = frame.join(_column(config, name), on="id", how="left", maintain_order="left")
    if vector := config.diversity.vector:
        known = [table.filter(table[_VECTOR].is_valid())["id"].to_pylist() for table in _vector_parts(config)]
        there = pl.DataFrame({"id": [one for part in known for one in part]}, schema={"id": pl.String})
        there = there.with_columns(pl.lit(1.0).alias(vector))
        frame = frame.join(there, on="id", how="left", maintain_order="left")
    return frame.with_columns(tokens=pl.col(config.tokens or "size").cast(pl.Int64))


def _column(config: TierConfig, name: str) -> pl.DataFrame:
    table = load_columns(config.attributes, [name])
    kind = table[name].dtype
    if name in config.numbers:
        if not kind.is_numeric():
            attribute = name.partition(".")[0]
            mend = f"numbers: {', '.join(numeric_columns(config.attributes, attribute)) or 'none'}"
            raise UserError(f"{name} is no number but {kind}", where=str(config.attributes), mend=mend)
        return table
    values = pl.col(name) if kind.is_nested() else pl.concat_list(pl.col(name).cast(pl.String)).list.drop_nulls()
    return table.with_columns(values.fill_null(pl.lit([], pl.List(pl.String))).cast(pl.List(pl.String)).alias(name))


def vectors_for(config: TierConfig, ids: pl.Series) -> np.ndarray:
    """Return float32 vectors [ids, dimensions] of length 1, in the order of the ids; each must have one."""
    wanted = pa.array(ids.to_list(), pa.string())
    found: list[tuple[list[str], np.ndarray]] = []
    for table in _vector_parts(config):
        mine = table.filter(pc.and_(pc.is_in(table["id"], wanted), table[_VECTOR].is_valid()))
        if mine.num_rows:
            found.append((mine["id"].to_pylist(), vectors_of(mine, _VECTOR)[0]))
    if not found:
        return np.zeros((0, 1), np.float32)
    places = {one: number for number, one in enumerate(one for names, _ in found for one in names)}
    vectors = np.concatenate([some for _, some in found])[[places[one] for one in ids]]
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _vector_parts(config: TierConfig) -> Iterator[pa.Table]:
    """Yield `id, embedding` of the embedding attribute, a part at a time."""
    folder: Path = config.attributes / "attributes" / str(config.diversity.embedding)
    manifest = read_json(folder / "manifest.json")
    if manifest is None or _VECTOR not in manifest["columns"]:
        raise UserError(
            f"no embedding {config.diversity.embedding!r}", where=str(config.attributes), mend="measure one first"
        )
    for part in manifest["parts"]:
        yield read_parquet(folder / part, ["id", _VECTOR])
