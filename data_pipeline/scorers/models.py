"""The two kinds of model that a scorer is made of, trained by scikit-learn, applied from plain arrays.

A model's output is one column for a number or for the logit of label 1, and one log-probability per class for classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Task = Literal["number", "binary", "classes"]
TREES = 200
_LEAST = 1e-3  # no forest is surer than this


@dataclass(slots=True)
class Linear:
    """`x @ weights + bias`: logistic regression, one against the rest for classes; ridge for numbers."""

    task: Task
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def fitted(cls, task: Task, x: Any, y: np.ndarray, outputs: int, strength: float) -> Linear:
        """Train it.

        Args:
            task: what the labels are.
            x: sparse [rows, columns].
            y: numbers, or the number of each row's class [rows].
            outputs: columns of its output.
            strength: scikit-learn's C; 1 ÷ alpha for ridge.

        """
        columns = [
            _one_linear(task, x, y if task == "number" else y == _class_of(task, k), strength) for k in range(outputs)
        ]
        weights = np.stack([weight for weight, _ in columns], axis=1).astype(np.float32)
        return cls(task, {"weights": weights, "bias": np.array([bias for _, bias in columns])})

    def output(self, x: Any) -> np.ndarray:
        """Return float64 [rows, outputs]."""
        raw = np.asarray(x @ self.arrays["weights"], dtype=np.float64) + self.arrays["bias"]
        return _normalised(-np.logaddexp(0, -raw)) if self.task == "classes" else raw


@dataclass(slots=True)
class Forest:
    """Extremely randomised trees (Geurts et al., 2006), all nodes of all trees in one table."""

    task: Task
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def fitted(cls, task: Task, x: np.ndarray, y: np.ndarray, outputs: int, leaf: int, seed: int) -> Forest:
        """Train it; arguments as `Linear.fitted`, `x` dense float32, `leaf` rows at least in a leaf."""
        from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

        kind = ExtraTreesRegressor if task == "number" else ExtraTreesClassifier
        trees = kind(TREES, min_samples_leaf=leaf, max_features=0.2, random_state=seed, n_jobs=1).fit(x, y)
        present = None if task == "number" else np.asarray(trees.classes_, dtype=np.int64)
        return cls(task, _table([tree.tree_ for tree in trees.estimators_], task, present, outputs))

    def output(self, x: np.ndarray) -> np.ndarray:
        """Return float64 [rows, outputs]."""
        table = self.arrays
        total = np.zeros((len(x), table["value"].shape[1]))
        rows = np.arange(len(x))
        for root in table["roots"]:
            node = np.full(len(x), root)
            inner = rows
            while len(inner := inner[table["left"][node[inner]] >= 0]):
                at = node[inner]
                smaller = x[inner, table["feature"][at]] <= table["threshold"][at]
                node[inner] = np.where(smaller, table["left"][at], table["right"][at])
            total += table["value"][node]
        mean = total / len(table["roots"])
        if self.task == "number":
            return mean
        mean = np.clip(mean, _LEAST, 1 - _LEAST)
        return np.log(mean / (1 - mean)) if self.task == "binary" else _normalised(np.log(mean))


def _table(trees: list[Any], task: Task, present: np.ndarray | None, outputs: int) -> dict[str, np.ndarray]:
    """Return the nodes of all trees under one numbering; `value` holds shares of classes, or of label 1, or means."""
    sizes = [tree.node_count for tree in trees]
    roots = np.cumsum([0, *sizes[:-1]])
    nodes = np.concatenate([tree.value[:, 0, :] for tree in trees])
    if present is not None:
        every = np.zeros((len(nodes), max(outputs, 2)))
        every[:, present] = nodes / nodes.sum(axis=1, keepdims=True)
        nodes = every[:, 1:] if task == "binary" else every
    shifted = {
        side: np.concatenate(
            [
                np.where(child < 0, -1, child + root)
                for tree, root in zip(trees, roots, strict=True)
                for child in [getattr(tree, f"children_{side}")]
            ]
        ).astype(np.int32)
        for side in ("left", "right")
    }
    return {
        **shifted,
        "feature": np.concatenate([np.maximum(tree.feature, 0) for tree in trees]).astype(np.int32),
        "threshold": np.concatenate([tree.threshold for tree in trees]),
        "value": nodes.astype(np.float32),
        "roots": roots.astype(np.int32),
    }


def _class_of(task: Task, column: int) -> int:
    return 1 if task == "binary" else column


def _one_linear(task: Task, x: Any, y: np.ndarray, strength: float) -> tuple[np.ndarray, float]:
    from sklearn.linear_model import LogisticRegression, Ridge

    if task == "number":
        ridge = Ridge(alpha=1 / strength, solver="lsqr").fit(x, y)
        return ridge.coef_, float(ridge.intercept_)
    if y.all() or not y.any():  # a class that no row of these folds has
        return np.zeros(x.shape[1]), 20.0 if y.all() else -20.0
    wide = x.shape[1] > x.shape[0]  # the dual form is the quick one then
    model = LogisticRegression(C=strength, solver="liblinear", dual=wide, max_iter=200, tol=1e-2, random_state=0)
    model.fit(x, y)
    return model.coef_[0], float(model.intercept_[0])


def _normalised(logs: np.ndarray) -> np.ndarray:
    """Return log-probabilities that sum to 1 in each row."""
    from scipy.special import logsumexp

    return np.asarray(logs - logsumexp(logs, axis=1, keepdims=True))
