"""Distilled scorers: how well they score rows that they have not seen, by repeated half-splits.

    python -m benchmarks.scorers LABELS_FOLDER [--splits 3] [--targets difficulty …] [--write]

Each file NAME.jsonl of the folder is split in halves by a seeded shuffle of its prompts, so that equal prompts stay
together; the default of `posttrain attributes fit` is trained on one half and measured on the other, and the other
way round. Values and 95 % intervals (bootstrap over all rows) are means over the splits. `lengths` is the same
regression on the two log lengths, `answer length` is that length as the score. `--write` puts the table into
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
from data_pipeline.scorers.card import MEASURES, answer_length
from data_pipeline.scorers.features import views_of
from data_pipeline.scorers.fit import MEASURED_BY, fit, lengths
from data_pipeline.scorers.labels import Labelled, read_labelled
from data_pipeline.scorers.measures import with_interval
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


def trained(labelled: Labelled, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the scores of rows apart, those by a model of both lengths, and processor seconds of the training."""
    start = time.process_time()
    scorer = fit(half(labelled, train), "target", "offline", 42).scorer
    seconds = time.process_time() - start
    found = scorer.score(labelled.rows[test])
    known = {name: number for number, name in enumerate(labelled.classes)}
    scores = np.array([known[name] for name in found["label"]]) if known else found["score"].to_numpy()
    x = lengths(views_of(labelled.rows))
    plain = Linear.fitted(labelled.task, x[train], labelled.y[train], max(1, len(known)), 10.0).output(x[test])
    return scores, plain.argmax(axis=1) if known else plain[:, 0], seconds


def split(labelled: Labelled, seed: int) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Return the scores of all rows, each by the half it is not in, those by length, and the seconds of both fits."""
    scores, plain = np.zeros(labelled.rows.height), np.zeros(labelled.rows.height)
    one, other = halves(labelled, seed)
    seconds = []
    for train, test in ((one, other), (other, one)):
        scores[test], plain[test], took = trained(labelled, train, test)
        seconds.append(took)
    return scores, plain, seconds


def line(file: Path, splits: int) -> list[Any]:
    """Return the table's line of one file."""
    labelled = read_labelled(file)
    name = MEASURED_BY[labelled.task]
    by = MEASURES[labelled.task][name]
    runs = [split(labelled, seed) for seed in range(splits)]
    return [
        file.stem,
        name,
        labelled.rows.height,
        _mean([with_interval(by, labelled.y, scores, 0) for scores, _, _ in runs]),
        _mean([with_interval(by, labelled.y, plain, 0) for _, plain, _ in runs]),
        "" if labelled.classes else _mean([with_interval(by, labelled.y, answer_length(labelled), 0)]),
        f"{statistics.median(took for _, _, seconds in runs for took in seconds):.0f}",
    ]


def _mean(found: list[dict[str, float]]) -> str:
    value, low, high = (statistics.mean(one[key] for one in found) for key in ("value", "low", "high"))
    return f"{value:.4f} ({low:.4f} – {high:.4f})"


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
    head = [
        "target",
        "measure",
        "rows",
        "on the half not trained on",
        "lengths",
        "answer length",
        "CPU seconds per fit",
    ]
    print(table := measure.table(head, lines))
    if given.write:
        measure.write_section("scorers", table)


if __name__ == "__main__":
    main()
