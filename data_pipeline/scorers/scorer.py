"""A fitted scorer: the space of its features, its two models, how they are weighed and calibrated; saved and loaded.

A scorer's directory: `scorer.json` (names, terms, numbers), `arrays.npz` (plain arrays, read with pickling
forbidden), and the card. Nothing in it is executed.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from data_pipeline.scorers.calibration import calibrated
from data_pipeline.scorers.features import Space, dense, joined, views_of
from data_pipeline.scorers.models import Forest, Linear, Task
from utils.errors import UserError
from utils.runs.commit import read_json, replace_json, sha256_file

VERSION = 2
_BATCH = 2048


@dataclass(slots=True)
class Scorer:
    """What `fit` makes.

    Args:
        target: what it scores, by its user's name.
        task: number, binary or classes.
        classes: names of the classes, in the order of the models' outputs.
        space: texts → features.
        blocks: the blocks that the linear model sees.
        linear: the linear model.
        forest: the trees.
        weight: of the linear model's output; the forest has the rest.
        calibration: `[slope, shift]` per language, and for all others under "".

    """

    target: str
    task: Task
    classes: list[str]
    space: Space
    blocks: list[str]
    linear: Linear
    forest: Forest
    weight: float
    calibration: dict[str, list[float]] = field(default_factory=dict)

    def score(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return `id` and `score`, or for classes `label` and its `probability`, one row per row.

        Args:
            rows: `id, lang, messages`. A row's score does not depend on the others.

        """
        parts = [self._scored(rows[start : start + _BATCH]) for start in range(0, max(1, rows.height), _BATCH)]
        return pl.concat(parts)

    def _scored(self, rows: pl.DataFrame) -> pl.DataFrame:
        ids = rows.select(pl.col("id").cast(pl.String))
        if not rows.height:
            shape = {"label": pl.String, "probability": pl.Float64} if self.classes else {"score": pl.Float64}
            return pl.DataFrame(schema={"id": pl.String, **shape})
        values = calibrated(self.task, self._output(rows), rows["lang"].to_list(), self.calibration)
        if not self.classes:
            return ids.with_columns(score=pl.Series(values[:, 0], dtype=pl.Float64))
        best = values.argmax(axis=1)
        names = pl.Series([self.classes[k] for k in best], dtype=pl.String)
        return ids.with_columns(label=names, probability=pl.Series(values[np.arange(len(best)), best]))

    def _output(self, rows: pl.DataFrame) -> np.ndarray:
        found = self.space.features(views_of(rows))
        total = np.zeros((rows.height, max(1, len(self.classes))))
        if self.weight > 0:
            total += self.weight * self.linear.output(joined(found, self.blocks))
        if self.weight < 1:
            total += (1 - self.weight) * self.forest.output(dense(found))
        return total


def save(scorer: Scorer, folder: Path) -> None:
    """Write `scorer.json` and `arrays.npz` into a folder that is there."""
    arrays = {
        **{f"space/{name}": value for name, value in scorer.space.arrays.items()},
        **{f"linear/{name}": value for name, value in scorer.linear.arrays.items()},
        **{f"forest/{name}": value for name, value in scorer.forest.arrays.items()},
    }
    np.savez_compressed(folder / "arrays.npz", allow_pickle=False, **arrays)
    replace_json(
        folder / "scorer.json",
        {
            "version": VERSION,
            "target": scorer.target,
            "task": scorer.task,
            "classes": scorer.classes,
            "embedding": scorer.space.embedding,
            "blocks": scorer.blocks,
            "weight": scorer.weight,
            "calibration": scorer.calibration,
            "arrays_sha256": sha256_file(folder / "arrays.npz"),
            "terms": scorer.space.terms,
        },
    )


def load(folder: Path) -> Scorer:
    """Read a scorer's directory.

    Raises:
        UserError: there is none, another version wrote it, or its files do not belong together.

    """
    about: Any = read_json(folder / "scorer.json")
    if about is None:
        raise UserError("no scorer here", where=str(folder), mend="posttrain attributes fit makes one")
    if not isinstance(about, dict) or about.get("version") != VERSION:
        raise UserError("a scorer of another version", where=str(folder), mend="fit it again")
    arrays = folder / "arrays.npz"
    if not arrays.is_file() or sha256_file(arrays) != about["arrays_sha256"]:
        raise UserError("arrays.npz is not the one that scorer.json names", where=str(folder), mend="fit it again")
    try:
        with np.load(arrays, allow_pickle=False) as file:
            parts: dict[str, dict[str, np.ndarray]] = {"space": {}, "linear": {}, "forest": {}}
            for name in file.files:
                part, _, key = name.partition("/")
                parts[part][key] = file[name]
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise UserError(f"arrays.npz cannot be read: {error}", where=str(folder), mend="fit it again") from error
    return Scorer(
        about["target"],
        about["task"],
        about["classes"],
        Space(about["embedding"], about["terms"], parts["space"]),
        about["blocks"],
        Linear(about["task"], parts["linear"]),
        Forest(about["task"], parts["forest"]),
        about["weight"],
        about["calibration"],
    )
