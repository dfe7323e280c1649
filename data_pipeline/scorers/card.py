"""A scorer's card: how good it is on rows that it was not trained on, against length alone, and how it was chosen."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path
from typing import Any

import numpy as np

from data_pipeline.scorers.calibration import calibrated
from data_pipeline.scorers.features import views_of
from data_pipeline.scorers.fit import CHOSEN_BY, FOLDS, Fitted
from data_pipeline.scorers.labels import Labelled, described
from data_pipeline.scorers.measures import (
    Measure,
    accuracy,
    auc,
    bootstrap,
    calibration,
    rank_correlation,
    with_interval,
)
from data_pipeline.scorers.models import Task
from utils.runs.commit import sha256_file

_LIBRARIES = ("numpy", "scipy", "scikit-learn", "polars")
_NOTE = (
    "Out-of-fold over {folds} folds: equal prompts are never on both sides. The models were chosen on the same folds "
    "and the calibration was learned from them, so these numbers are slightly too good; vocabularies and idf are of "
    "all rows' texts. Intervals: 95 %, bootstrap over rows."
)


def card_of(labelled: Labelled, fitted: Fitted, path: Path, seed: int) -> dict[str, Any]:
    """Return the card as JSON-able values."""
    task, y, scorer = labelled.task, labelled.y, fitted.scorer
    languages = labelled.rows["lang"].to_list()
    values = calibrated(task, fitted.output, languages, scorer.calibration)
    scores = _shown(task, values)
    by_length = _shown(task, fitted.by_length)
    main = MEASURES[task][fitted.measured_by]
    low, high = bootstrap(main, y, scores, seed, against=by_length)
    alone = {"answer length as the score": answer_length(labelled)} if task != "classes" else {}
    return {
        "target": scorer.target,
        "data": {"file": path.name, "sha256": sha256_file(path), **described(labelled, path)},
        "note": _NOTE.format(folds=FOLDS),
        "measures": {
            name: with_interval(measure, y, _decided(name, task, scores), seed)
            for name, measure in MEASURES[task].items()
        },
        "length_alone": {
            name: with_interval(main, y, lengths, seed)
            for name, lengths in {"model of both lengths": by_length, **alone}.items()
        },
        "better_than_length": {"value": main(y, scores) - main(y, by_length), "low": low, "high": high},
        "calibration": _calibration(task, y, values, languages, scorer.calibration),
        "chosen": {
            "blocks": scorer.blocks,
            "linear_weight": scorer.weight,
            "embedding": scorer.space.embedding,
            "by": CHOSEN_BY[task],
        },
        "tried": fitted.tried,
        "seed": seed,
        "versions": {"python": platform.python_version(), **{n: importlib.metadata.version(n) for n in _LIBRARIES}},
    }


def answer_length(labelled: Labelled) -> np.ndarray:
    """Return the answers' lengths [rows], negative where shorter answers have the higher labels."""
    lengths = np.array([len(answer) for answer in views_of(labelled.rows)["answer"]], dtype=np.float64)
    return lengths if rank_correlation(labelled.y, lengths) >= 0 else -lengths


MEASURES: dict[Task, dict[str, Measure]] = {
    "binary": {"auc": auc, "rank_correlation": rank_correlation, "accuracy": accuracy},
    "classes": {"accuracy": accuracy},
    "number": {"rank_correlation": rank_correlation},
}


def _shown(task: Task, values: np.ndarray) -> np.ndarray:
    """Return what is compared with labels: the class, or the number [rows]."""
    return values.argmax(axis=1) if task == "classes" else values[:, 0]


def _decided(name: str, task: Task, scores: np.ndarray) -> np.ndarray:
    return (scores >= 0.5).astype(np.int64) if name == "accuracy" and task == "binary" else scores


def _calibration(
    task: Task, y: np.ndarray, values: np.ndarray, languages: list[str], lines: dict[str, list[float]]
) -> dict[str, Any]:
    """Return per language how far stated probabilities (of the named class) are from the truth; none for numbers."""
    if task == "number":
        return {}
    stated = values.max(axis=1) if task == "classes" else values[:, 0]
    right = (values.argmax(axis=1) == y).astype(np.float64) if task == "classes" else y.astype(np.float64)
    named = np.array(languages)
    return {
        language: {"own": language in lines, **calibration(right[named == language], stated[named == language])}
        for language in sorted(set(languages))
    }


def markdown(card: dict[str, Any]) -> str:
    """Return the card as a page."""
    data, chosen = card["data"], card["chosen"]
    lines = [
        f"# Scorer: {card['target']}",
        "",
        f"{data['task']}, {data['rows']} rows of {data['file']} ({', '.join(data['formats'])};",
        f"{_listed(data['languages'])}) with {data['different_prompts']} different prompts;",
        f"labels: {_listed(data['labels'])}.",
        "",
        card["note"],
        "",
        "| measure | value | 95 % interval |",
        "|---|---|---|",
        *(_line(name, found) for name, found in card["measures"].items()),
        *(
            _line(f"{next(iter(card['measures']))}, length alone: {name}", found)
            for name, found in card["length_alone"].items()
        ),
        _line("better than the model of both lengths by", card["better_than_length"]),
        "",
    ]
    if card["calibration"]:
        lines += ["| language | rows | own calibration | calibration error | Brier |", "|---|---|---|---|---|"]
        for language, found in card["calibration"].items():
            own = "yes" if found["own"] else "of all rows"
            lines.append(f"| {language} | {found['rows']} | {own} | {found['error']:.3f} | {found['brier']:.3f} |")
        lines.append("")
    lines += [
        f"Chosen by {chosen['by']}: {', '.join(chosen['blocks'])}; weight of the linear model "
        f"{chosen['linear_weight']}, the rest trees; embedding: {chosen['embedding']}.",
        "",
        f"| tried | {chosen['by']} |",
        "|---|---|",
        *(
            f"| {_listed({k: v for k, v in one.items() if k != 'value'})} | {one['value']:.4f} |"
            for one in card["tried"]
        ),
        "",
        f"Data: SHA-256 {data['sha256']}. Seed {card['seed']}. {_listed(card['versions'])}.",
    ]
    return "\n".join(lines) + "\n"


def _line(name: str, found: dict[str, float]) -> str:
    return f"| {name} | {found['value']:.4f} | {found['low']:.4f} – {found['high']:.4f} |"


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {round(value, 4) if isinstance(value, float) else value}" for name, value in values.items()
    )
