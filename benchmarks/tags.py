"""Keyword tags of Chinese rows against labels by hand: tests/review/tags_zh.csv, ids and tags only.

    python -m benchmarks.tags ROWS [--write]

ROWS: what was labelled, as it is or cleaned (`clean_id` is the id of the row as it was). Prints precision, recall and
F1 per tag and their mean, macro-F1, over the tags that the reader gave, with a bootstrap interval over rows. `--write`
puts the table into docs/BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

import benchmarks.measure as measure
from data_pipeline.attributes.kinds.keyword_tags import KeywordTags
from utils.data.records import records_to_table
from utils.data.streaming import iter_records

LABELS = measure.ROOT / "tests" / "review" / "tags_zh.csv"


def read_labels(path: Path = LABELS) -> dict[str, set[str]]:
    """Return the tags that a reader gave to each id."""
    with path.open(newline="", encoding="utf-8") as file:
        return {row["clean_id"]: set(row["tags"].split()) for row in csv.DictReader(file)}


def keyword_tags(source: Path, wanted: Sequence[str]) -> dict[str, set[str]]:
    """Return the tags that the shipped rules give to the wanted ids of an input."""
    records = {record.id: record for record in iter_records(source) if record.id in set(wanted)}
    rows = pl.DataFrame(pl.from_arrow(records_to_table(list(records.values()))))
    table = KeywordTags().measure(rows, {}, 0)
    return {row["id"]: set(row["tags"]) for row in table.to_pylist()}


def indicators(tags: Sequence[set[str]], names: Sequence[str]) -> np.ndarray:
    """Return which row has which tag, bool [rows, names]."""
    return np.array([[name in row for name in names] for row in tags], dtype=bool).reshape(len(tags), len(names))


def f1(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return F1 = 2·hits ÷ (given + found) per column of bool [rows, tags]; 0 where neither has any."""
    hits, both = (truth & found).sum(0), truth.sum(0) + found.sum(0)
    return np.divide(2 * hits, both, out=np.zeros(len(both)), where=both > 0)


def interval(truth: np.ndarray, found: np.ndarray, seed: int = 1, draws: int = 2000) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of macro-F1 over rows; tags that a draw lacks are left out."""
    random = np.random.default_rng(seed)
    values = []
    for _ in range(draws):
        rows = random.integers(0, len(truth), len(truth))
        there = truth[rows].any(0)
        values.append(f1(truth[rows][:, there], found[rows][:, there]).mean())
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    labels = read_labels()
    tags = keyword_tags(given.rows, list(labels))
    names = sorted(set().union(*labels.values()))
    truth = indicators(list(labels.values()), names)
    found = indicators([tags[one] for one in labels], names)
    scores = f1(truth, found)
    rows = [
        [name, int(truth[:, at].sum()), int(found[:, at].sum()), int((truth & found)[:, at].sum()), f"{scores[at]:.2f}"]
        for at, name in enumerate(names)
    ]
    low, high = interval(truth, found)
    often = truth.sum(0) >= 5
    hits, both = int((truth & found).sum()), int(truth.sum() + found.sum())
    text = "\n\n".join(
        [
            measure.table(["tag", "by hand", "by rules", "both", "F1"], rows),
            f"{len(labels)} rows, {len(names)} tags: macro-F1 {scores.mean():.3f} (95 % {low:.3f}–{high:.3f}); "
            f"over the {int(often.sum())} tags with five rows or more {scores[often].mean():.3f}; "
            f"micro-F1 {2 * hits / both:.3f}.",
        ]
    )
    print(text)
    if given.write:
        measure.write_section("tags", text)


if __name__ == "__main__":
    main()
