"""Fit a scorer: a few models tried by cross-validation, the best weighed together, calibrated, trained on all rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from data_pipeline.scorers.calibration import calibrate, calibrated
from data_pipeline.scorers.features import Space, dense, joined, views_of
from data_pipeline.scorers.labels import Labelled
from data_pipeline.scorers.measures import accuracy, auc, rank_correlation
from data_pipeline.scorers.models import Forest, Linear, Task
from data_pipeline.scorers.scorer import Scorer
from utils.errors import UserError

FOLDS = 5
_TFIDF = ("task.words", "task.characters", "prompt.words", "prompt.characters", "answer.words", "answer.characters")
BLOCKS: dict[str, tuple[str, ...]] = {
    "task": ("task.words", "task.characters", "statistics"),
    "all": (*_TFIDF, "statistics"),
    "all+embedding": (*_TFIDF, "statistics", "embedding"),
}
STRENGTHS = (0.05, 0.5, 2.0)  # noisy labels want the first
LEAVES = (2, 15)
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
_LEAST = 1e-9  # probability


@dataclass(slots=True)
class Fitted:
    """A scorer and how it came about.

    Args:
        scorer: trained on all rows.
        output: its out-of-fold outputs [rows, outputs], by the chosen models.
        by_length: out-of-fold outputs of the same model on the two lengths alone.
        tried: every candidate with its out-of-fold value.
        measured_by: the measure that tells how good it is.

    """

    scorer: Scorer
    output: np.ndarray
    by_length: np.ndarray
    measured_by: str
    tried: list[dict[str, Any]] = field(default_factory=list)


def fit(labelled: Labelled, target: str, embedding: str, seed: int) -> Fitted:
    """Choose by cross-validation over the same folds, then train on all rows.

    Vocabularies and idf are of all rows' texts; no label is seen by what predicts its row.
    """
    task, y = labelled.task, labelled.y
    outputs = max(1, len(labelled.classes))
    views = views_of(labelled.rows)
    space, features = Space.fitted(views, embedding)
    folds = list(folds_of(labelled, seed))
    tried: list[dict[str, Any]] = []

    matrices = {name: joined(features, blocks) for name, blocks in BLOCKS.items()}
    linear: dict[tuple[str, float], np.ndarray] = {}

    def try_linear(name: str, strength: float) -> None:
        output = linear[name, strength] = _linear_out_of_fold(task, matrices[name], y, outputs, strength, folds)
        tried.append({"model": "linear", "blocks": name, "C": strength, **_found(task, y, output)})

    for strength in STRENGTHS:
        try_linear("all", strength)
    (_, strength), _ = _best(task, y, linear)
    for name in sorted(BLOCKS.keys() - {"all"}):
        try_linear(name, strength)
    table = dense(features)
    forests: dict[int, np.ndarray] = {}
    for leaf in LEAVES:
        forests[leaf] = _forest_out_of_fold(task, table, y, outputs, leaf, seed, folds)
        tried.append({"model": "forest", "leaf": leaf, **_found(task, y, forests[leaf])})

    (name, strength), from_linear = _best(task, y, linear)
    leaf, from_forest = _best(task, y, forests)
    mixed = {weight: weight * from_linear + (1 - weight) * from_forest for weight in WEIGHTS}
    for weight, output in mixed.items():
        tried.append({"model": "both", "linear_weight": weight, **_found(task, y, output)})
    weight, output = _best(task, y, mixed)

    scorer = Scorer(
        target,
        task,
        labelled.classes,
        space,
        list(BLOCKS[name]),
        Linear.fitted(task, matrices[name], y, outputs, strength),
        Forest.fitted(task, table, y, outputs, leaf, seed),
        weight,
        calibrate(task, output, y, labelled.rows["lang"].to_list()),
    )
    by_length = _linear_out_of_fold(task, lengths(views), y, outputs, 10.0, folds)
    return Fitted(scorer, output, by_length, MEASURED_BY[task], tried)


MEASURED_BY = {"binary": "auc", "classes": "accuracy", "number": "rank_correlation"}
CHOSEN_BY = MEASURED_BY | {"classes": "log_likelihood"}  # accuracy steps by rows and cannot tell near equals apart


def value_of(task: Task, y: np.ndarray, output: np.ndarray) -> float:
    """Return what models are chosen by, of outputs [rows, outputs].

    AUC, rank correlation, or for classes the mean log-likelihood at the temperature that suits the outputs best.
    """
    if task != "classes":
        return (auc if task == "binary" else rank_correlation)(y, output[:, 0])
    everywhere = [""] * len(y)
    shares = calibrated(task, output, everywhere, calibrate(task, output, y, everywhere))
    return float(np.mean(np.log(np.maximum(shares[np.arange(len(y)), y], _LEAST))))


def _found(task: Task, y: np.ndarray, output: np.ndarray) -> dict[str, float]:
    """Return the values of a candidate for the card."""
    more = {"accuracy": accuracy(y, output.argmax(axis=1))} if task == "classes" else {}
    return more | {"value": value_of(task, y, output)}


def _best(task: Task, y: np.ndarray, outputs: dict[Any, np.ndarray]) -> tuple[Any, np.ndarray]:
    """Return the name and the outputs with the highest value; the first of equals."""
    return max(outputs.items(), key=lambda item: value_of(task, y, item[1]))


def folds_of(labelled: Labelled, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give the rows to train on and to test on, five times; equal prompts are never on both sides."""
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    if len(set(labelled.groups.tolist())) < FOLDS:
        raise UserError("fewer than 5 different prompts", where="labels", mend="label more rows")
    kind = GroupKFold if labelled.task == "number" else StratifiedGroupKFold
    empty = np.zeros((len(labelled.y), 1))
    yield from kind(FOLDS, shuffle=True, random_state=seed).split(empty, labelled.y, labelled.groups)


def _linear_out_of_fold(task: Task, x: Any, y: np.ndarray, outputs: int, strength: float, folds: Any) -> np.ndarray:
    found = np.zeros((len(y), outputs))
    for train, test in folds:
        found[test] = Linear.fitted(task, x[train], y[train], outputs, strength).output(x[test])
    return found


def _forest_out_of_fold(
    task: Task, x: np.ndarray, y: np.ndarray, outputs: int, leaf: int, seed: int, folds: Any
) -> np.ndarray:
    found = np.zeros((len(y), outputs))
    for train, test in folds:
        found[test] = Forest.fitted(task, x[train], y[train], outputs, leaf, seed).output(x[test])
    return found


def lengths(views: dict[str, list[str]]) -> Any:
    """Return log(1 + characters) of prompt and answer, scaled to mean 0 and deviation 1, sparse [rows, 2]."""
    from scipy.sparse import csr_matrix

    lengths = np.log1p([[len(text) for text in views[view]] for view in ("prompt", "answer")]).T
    scale = lengths.std(axis=0)
    return csr_matrix((lengths - lengths.mean(axis=0)) / np.where(scale > 0, scale, 1))
