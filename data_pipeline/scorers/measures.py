"""How well scores agree with labels: area under the curve, rank correlation, accuracy, each with an interval."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_RESAMPLES = 500
Measure = Callable[[np.ndarray, np.ndarray], float]


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the ROC curve: P(a positive scores higher than a negative), ties count half.

    Args:
        labels: 0 or 1 [n], both present.
        scores: float [n].

    """
    ranks = _ranks(scores)
    positive = labels > 0
    ones = int(positive.sum())
    zeros = len(labels) - ones
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def rank_correlation(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return Spearman's correlation, 0 when one side is constant."""
    left, right = _ranks(labels), _ranks(scores)
    left, right = left - left.mean(), right - right.mean()
    norm = float(np.sqrt((left @ left) * (right @ right)))
    return float(left @ right) / norm if norm else 0.0


def accuracy(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the share of equal values."""
    return float(np.mean(labels == scores))


def bootstrap(
    measure: Measure, labels: np.ndarray, scores: np.ndarray, seed: int, *, against: np.ndarray | None = None
) -> tuple[float, float]:
    """Return the 95 % percentile interval of a measure over resampled rows.

    Args:
        measure: of labels and scores.
        labels: [n]; resamples that hold one value alone are drawn again.
        scores: [n].
        seed: of the resampling.
        against: other scores [n]; then the interval is of the difference, both measured on the same resample.

    """
    random = np.random.default_rng(seed)
    found: list[float] = []
    while len(found) < _RESAMPLES:
        rows = random.integers(0, len(labels), len(labels))
        drawn = labels[rows]
        if (drawn == drawn[0]).all():
            continue
        other = 0.0 if against is None else measure(drawn, against[rows])
        found.append(measure(drawn, scores[rows]) - other)
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def with_interval(measure: Measure, labels: np.ndarray, scores: np.ndarray, seed: int) -> dict[str, float]:
    """Return `value, low, high`."""
    low, high = bootstrap(measure, labels, scores, seed)
    return {"value": measure(labels, scores), "low": low, "high": high}


def calibration(labels: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> dict[str, Any]:
    """Return how far probabilities are from what happened.

    Args:
        labels: 0 or 1 [n].
        probabilities: [n].
        bins: groups of equal size, by probability.

    Returns:
        `rows`, `brier`, `error` (mean distance of stated and observed share, by rows: ECE with equal mass) and the
        `bins` as `[rows, stated, observed]`.

    """
    order = np.argsort(probabilities, kind="stable")
    groups = [group for group in np.array_split(order, bins) if len(group)]
    table = [[len(group), float(probabilities[group].mean()), float(labels[group].mean())] for group in groups]
    error = sum(rows * abs(stated - observed) for rows, stated, observed in table) / max(1, len(labels))
    brier = float(np.mean((probabilities - labels) ** 2))
    return {"rows": len(labels), "brier": brier, "error": error, "bins": table}


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks from 1, ties at their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    means: np.ndarray = last - (counts - 1) / 2
    return means[inverse]
