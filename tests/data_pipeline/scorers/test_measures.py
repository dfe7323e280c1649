"""Measures against arithmetic by hand and against scikit-learn and scipy."""

from __future__ import annotations

import numpy as np
import pytest

from data_pipeline.scorers.calibration import calibrate, calibrated
from data_pipeline.scorers.measures import auc, bootstrap, calibration, rank_correlation


def test_auc_counts_ties_half() -> None:
    # Pairs (positive, negative): 3>1, 3>2, 2>1 and 2=2: 3.5 of 4.
    assert auc(np.array([0, 0, 1, 1]), np.array([1.0, 2.0, 2.0, 3.0])) == 3.5 / 4


def test_measures_equal_the_libraries() -> None:
    from scipy.stats import spearmanr
    from sklearn.metrics import roc_auc_score

    random = np.random.default_rng(0)
    labels, values = random.integers(0, 2, 200), random.integers(0, 20, 200).astype(float)
    assert auc(labels, values) == pytest.approx(roc_auc_score(labels, values))
    assert rank_correlation(labels, values) == pytest.approx(spearmanr(labels, values).statistic)
    assert rank_correlation(labels, np.ones(200)) == 0


def test_the_interval_holds_the_value_and_narrows_with_rows() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 2000)
    values = labels + random.normal(size=2000)
    low, high = bootstrap(auc, labels, values, 0)
    few_low, few_high = bootstrap(auc, labels[:100], values[:100], 0)
    assert low < auc(labels, values) < high
    assert high - low < (few_high - few_low) / 2
    assert bootstrap(auc, labels, values, 0, against=values) == (0, 0)


def test_calibration_error_by_hand() -> None:
    found = calibration(np.array([0, 1, 1, 1]), np.array([0.2, 0.2, 0.8, 0.8]), bins=2)
    assert found["bins"] == [[2, 0.2, 0.5], [2, pytest.approx(0.8), 1.0]]
    assert found["error"] == pytest.approx((0.3 + 0.2) / 2)
    assert found["brier"] == pytest.approx((0.04 + 0.64 + 0.04 + 0.04) / 4)


def test_each_language_is_calibrated_for_itself() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=4000)
    y = (random.random(4000) < 1 / (1 + np.exp(-truth))).astype(np.int64)
    languages = ["en", "zh"] * 2000
    output = truth.copy()
    output[1::2] = truth[1::2] * 3 + 1  # a model that is too sure in Chinese
    lines = calibrate("binary", output[:, None], y, languages)
    assert lines["en"] == pytest.approx([1, 0], abs=0.2)
    assert lines["zh"] == pytest.approx([1 / 3, -1 / 3], abs=0.1)
    found = calibrated("binary", output[:, None], languages, lines)[:, 0]
    assert found == pytest.approx(1 / (1 + np.exp(-truth)), abs=0.06)
    few = calibrate("binary", output[:100, None], y[:100], languages[:100])
    assert set(few) == {""}
