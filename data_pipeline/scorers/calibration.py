"""From a model's outputs to probabilities that hold what they say, per language where there are rows enough.

Platt's scaling (1999): sigmoid(slope · output + shift); a temperature for classes (Guo et al., 2017); a straight line
for numbers. Learned from out-of-fold outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from data_pipeline.scorers.models import Task

ROWS = 200  # of a language, and
OF_EACH = 20  # of each label, for a calibration of its own
_LEAST_SLOPE = 1e-3  # never turns the order round


def calibrate(task: Task, output: np.ndarray, y: np.ndarray, languages: Sequence[str]) -> dict[str, list[float]]:
    """Return `[slope, shift]` for every language that has rows enough, and for all rows under "".

    Args:
        task: what the labels are.
        output: out-of-fold outputs [rows, outputs].
        y: labels [rows].
        languages: of each row.

    """
    found = {"": _line(task, output, y)}
    named = np.array(languages)
    for language in sorted(set(languages)):
        own = named == language
        if own.sum() >= ROWS and (task == "number" or np.unique(y[own], return_counts=True)[1].min() >= OF_EACH):
            found[language] = _line(task, output[own], y[own])
    return found


def calibrated(
    task: Task, output: np.ndarray, languages: Sequence[str], lines: Mapping[str, Sequence[float]]
) -> np.ndarray:
    """Return numbers or P(1) [rows, 1], or the probabilities of all classes [rows, classes]."""
    from scipy.special import expit, softmax

    line = np.array([lines.get(language, lines[""]) for language in languages])
    scaled = output * line[:, :1] + line[:, 1:]
    if task == "classes":
        return np.asarray(softmax(scaled, axis=1))
    return np.asarray(expit(scaled)) if task == "binary" else scaled


def _line(task: Task, output: np.ndarray, y: np.ndarray) -> list[float]:
    from scipy.optimize import minimize, minimize_scalar
    from scipy.special import logsumexp

    if task == "number":
        slope = float(np.cov(output[:, 0], y)[0, 1] / max(np.var(output[:, 0], ddof=1), 1e-12))
        slope = max(slope, _LEAST_SLOPE)
        return [slope, float(y.mean() - slope * output[:, 0].mean())]
    if task == "classes":

        def loss_of_slope(slope: float) -> float:
            scaled = output * slope
            return float(np.mean(logsumexp(scaled, axis=1) - scaled[np.arange(len(y)), y]))

        return [float(minimize_scalar(loss_of_slope, bounds=(0.05, 20), method="bounded").x), 0.0]

    def loss(line: np.ndarray) -> float:
        scaled = output[:, 0] * line[0] + line[1]
        return float(np.mean(np.logaddexp(0, scaled) - y * scaled))

    slope, shift = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead", options={"maxiter": 500}).x
    return [max(float(slope), _LEAST_SLOPE), float(shift)]
