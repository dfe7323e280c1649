"""What the steps of a run left: the numbers of every model, every set of pairs, every training."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from data_pipeline.evaluate.metrics import compare
from utils.runs.commit import read_json

Numbers = dict[str, Any]


def step_places(root: Path) -> dict[str, Path]:
    """Return the directories of a run's finished steps, in the order of its plan."""
    places = {name: root / "steps" / place for name, place in (read_json(root / "steps.json") or {}).items()}
    return {name: place for name, place in places.items() if (place / "manifest.json").exists()}


def of_kind(places: dict[str, Path], verb: str) -> dict[int, Path]:
    """Return the directories of one kind of step by round."""
    named = ((name.partition("-"), place) for name, place in places.items())
    return {int(first[1:]): place for (first, _, rest), place in named if rest == verb and first[:1] == "r"}


def counts(place: Path | None) -> Numbers:
    """Return a step's counts; empty when there is no such step."""
    manifest: Numbers = (read_json(place / "manifest.json") if place else None) or {}
    return dict(manifest.get("counts", {}))


def models(places: dict[str, Path]) -> list[Numbers]:
    """Return the numbers of every evaluated model, in the order of training, each beside the one before it.

    Keys: as `metrics.json` has them, and `against`: `{"before", "n", "gained", "lost", "p"}`, over the same tasks.
    """
    found: dict[str, Numbers] = {}
    answers: dict[str, list[Numbers]] = {}
    for place in of_kind(places, "evaluate").values():
        found |= {model["name"]: model for model in read_json(place / "metrics.json")["models"]}
        table = pl.read_parquet(place / "answers.parquet", columns=["id", "model", "score"], glob=False)
        answers |= {str(name): frame.to_dicts() for (name,), frame in table.group_by("model")}
    for before, after in pairwise(found):
        found[after]["against"] = {"before": before, **compare(answers[before], answers[after])}
    return list(found.values())


def pair_cards(places: dict[str, Path]) -> dict[int, Numbers]:
    """Return the card of each round's pairs."""
    return {number: read_json(place / "card.json") for number, place in of_kind(places, "pairs").items()}


def curve(place: Path, key: str) -> list[tuple[int, float]]:
    """Return `(step, value)` of a logged number of one training run; nothing when it logged nothing."""
    path = place / "metrics.jsonl"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = (json.loads(line) for line in text.splitlines())
    return [(line["step"], line[key]) for line in lines if key in line]


def tiers(place: Path | None) -> Counter[str]:
    """Return how many rows went where, and why the rest went nowhere."""
    if place is None:
        return Counter()
    table = pl.read_parquet(place / "ledger" / "decisions.parquet", glob=False)
    into = pl.coalesce(pl.col("into"), pl.col("reasons").list.join(", "), pl.col("status"))
    return Counter(dict(table.group_by(into.alias("into")).len().sort("into").iter_rows()))


def examples(places: dict[str, Path], count: int) -> Iterator[Numbers]:
    """Yield held-out questions with the answer of every model: `{"question", "reference", "answers": {name: text}}`.

    The questions are the first by id, so they are the same in every report.
    """
    evaluations = of_kind(places, "evaluate").values()
    tables = [pl.read_parquet(place / "answers.parquet", glob=False) for place in evaluations]
    if not tables:
        return
    rows = pl.concat(tables, how="diagonal")
    order = {model["name"]: number for number, model in enumerate(models(places))}
    for row_id in sorted(rows["id"].unique())[:count]:
        mine = rows.filter(pl.col("id") == row_id)
        yield {
            "question": mine["prompt"][0][-1]["content"],
            "reference": mine["reference"][0],
            "answers": dict(sorted(zip(mine["model"], mine["text"], strict=True), key=lambda pair: order[pair[0]])),
        }
