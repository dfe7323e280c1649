"""Distilled scorers: how well they score rows that they have not seen, by repeated half-splits.

    python -m benchmarks.scorers LABELS_FOLDER [--splits 3] [--targets difficulty …] [--write]

Each file NAME.jsonl of the folder is split in halves by a seeded shuffle of its prompts, so that equal prompts stay
together; the default of `posttrain attributes fit` is trained on one half and measured on the other, and the other
way round. `length alone` is the same regression on the two log lengths. `--write` puts the table into
docs/BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

import benchmarks.measure as measure
from data_pipeline.scorers.card import MEASURES
from data_pipeline.scorers.features import views_of
from data_pipeline.scorers.fit import MEASURED_BY, fit, lengths
from data_pipeline.scorers.labels import Labelled, read_labelled
from data_pipeline.scorers.models import Linear


def half(labelled: Labelled, rows: np.ndarray) -> Labelled:
    """Return some rows with their labels."""
    return Labelled(labelled.rows[rows], labelled.task, labelled.classes, labelled.y[rows], labelled.groups[rows])


def halves(labelled: Labelled, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of two halves; equal prompts stay together."""
    names = np.unique(labelled.groups)
    first = np.random.default_rng(seed).permutation(names)[: len(names) // 2]
    inside = np.isin(labelled.groups, first)
    return np.flatnonzero(inside), np.flatnonzero(~inside)


def measured(labelled: Labelled, train: np.ndarray, test: np.ndarray) -> tuple[float, float, float]:
    """Return the value on rows apart, the value of length alone, and processor seconds of the training."""
    start = time.process_time()
    scorer = fit(half(labelled, train), "target", "offline", 42).scorer
    seconds = time.process_time() - start
    by = MEASURES[labelled.task][MEASURED_BY[labelled.task]]
    found, y = scorer.score(labelled.rows[test]), labelled.y[test]
    known = {name: number for number, name in enumerate(labelled.classes)}
    scores = np.array([known[name] for name in found["label"]]) if known else found["score"].to_numpy()
    x = lengths(views_of(labelled.rows))
    plain = Linear.fitted(labelled.task, x[train], labelled.y[train], max(1, len(known)), 10.0).output(x[test])
    return by(y, scores), by(y, plain.argmax(axis=1) if known else plain[:, 0]), seconds


def line(file: Path, splits: int) -> list[Any]:
    """Return the table's line of one file."""
    labelled = read_labelled(file)
    found = []
    for seed in range(splits):
        one, other = halves(labelled, seed)
        found += [measured(labelled, one, other), measured(labelled, other, one)]
    values, plain, seconds = ([run[column] for run in found] for column in range(3))
    name = MEASURED_BY[labelled.task]
    return [
        file.stem,
        name,
        labelled.rows.height,
        f"{statistics.mean(values):.4f} ({min(values):.4f} – {max(values):.4f})",
        f"{statistics.mean(plain):.4f} ({min(plain):.4f} – {max(plain):.4f})",
        f"{statistics.median(seconds):.0f}",
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path, metavar="LABELS_FOLDER")
    parser.add_argument("--splits", type=int, default=3, help="each gives two trainings")
    parser.add_argument("--targets", nargs="*", help="names of files; default: all")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    files = [file for file in sorted(given.labels.glob("*.jsonl")) if not given.targets or file.stem in given.targets]
    lines = [line(file, given.splits) for file in files]
    head = ["target", "measure", "rows", "on the half not trained on", "length alone", "CPU seconds per fit"]
    print(table := measure.table(head, lines))
    if given.write:
        measure.write_section("scorers", table)


if __name__ == "__main__":
    main()
