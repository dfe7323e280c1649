"""What a card asks an attributes run: what was measured, and how alike the rows of a set are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from data_pipeline.attributes.kinds.embedding import vectors_of
from data_pipeline.tier.families import lots
from utils.data.records import read_parquet
from utils.errors import UserError
from utils.runs.commit import read_json

ALIKE = 0.95


def manifests(attributes: Path) -> dict[str, dict[str, Any]]:
    """Return the manifest of every attribute of a run, by its name."""
    found = {path.parent.name: read_json(path) for path in sorted((attributes / "attributes").glob("*/manifest.json"))}
    if not found:
        raise UserError("no attributes there", where=str(attributes), mend="run posttrain attributes first")
    return found


def embedding_of(attributes: Path) -> str | None:
    """Return the attribute that holds vectors, `embedding` before others; None when there is none."""
    with_vectors = [
        name
        for name, manifest in manifests(attributes).items()
        if manifest["columns"].get("embedding", "").startswith("fixed_size_list")
    ]
    return min(with_vectors, key=lambda name: (name != "embedding", name), default=None)


def tables(attributes: Path, name: str) -> Iterator[pa.Table]:
    """Yield `id` and `embedding`, part by part."""
    folder = attributes / "attributes" / name
    for part in read_json(folder / "manifest.json")["parts"]:
        yield read_parquet(folder / part, ["id", "embedding"])


def redundancy(frame: pl.DataFrame, attributes: Path, name: str, rows: int, seed: int) -> dict[str, Any]:
    """Compare rows with each other, before (all that were measured) and after (each set).

    A larger sample has nearer neighbours, so a set is compared with as many rows of before as of itself.

    Args:
        frame: `set, id`.
        attributes: the run with the vectors.
        name: of the embedding.
        rows: of a set that are compared, drawn by lot.
        seed: of the lots.

    Returns:
        By set `rows`, `before` and `after`: mean cosine to the nearest other row, and the share above `ALIKE`.

    """
    measured = pl.concat([pl.DataFrame(pl.from_arrow(table.select(["id"]))) for table in tables(attributes, name)])
    ids = {"": _drawn(measured["id"], rows, seed)}
    ids |= {key[0]: _drawn(part["id"], rows, seed) for key, part in frame.group_by(["set"], maintain_order=True)}
    vectors = _vectors(attributes, name, {one for some in ids.values() for one in some})
    before = [one for one in ids.pop("") if one in vectors]
    found: dict[str, Any] = {}
    for key, some in ids.items():
        own = [one for one in some if one in vectors]
        n = min(len(own), len(before))
        if n >= 2:
            found[key] = {"rows": n, "before": _nearest(before[:n], vectors), "after": _nearest(own[:n], vectors)}
    return {"embedding": name, "alike_from": ALIKE, "sets": found}


def _drawn(ids: pl.Series, rows: int, seed: int) -> list[str]:
    some = ids.unique().to_frame("id")
    return some.with_columns(lots(some["id"], seed, "redundancy")).sort("lot", "id").head(rows)["id"].to_list()


def _vectors(attributes: Path, name: str, wanted: set[str]) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for table in tables(attributes, name):
        some = table.filter(pa.array([one in wanted for one in table["id"].to_pylist()], pa.bool_()))
        vectors, valid = vectors_of(some)
        ids = [one for one, ok in zip(some["id"].to_pylist(), valid.tolist(), strict=True) if ok]
        found.update(zip(ids, vectors, strict=True))
    return found


def _nearest(ids: list[str], vectors: dict[str, np.ndarray]) -> dict[str, float]:
    """Return the mean cosine of each row to its nearest other row, and the share of rows that have one above ALIKE."""
    matrix = np.stack([vectors[one] for one in ids])
    best = np.empty(len(matrix), dtype=np.float32)
    for start in range(0, len(matrix), 1024):
        cosines = matrix[start : start + 1024] @ matrix.T
        cosines[np.arange(len(cosines)), np.arange(start, start + len(cosines))] = -np.inf
        best[start : start + 1024] = cosines.max(axis=1)
    best = np.clip(best, -1, 1)
    return {"nearest": float(best.mean(dtype=np.float64)), "alike": float((best >= ALIKE).mean())}
