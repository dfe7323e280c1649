"""Numbers of an evaluation, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from data_pipeline.evaluate.metrics import compare, metrics, of_model


def row(name: str, model: str, score: float, lang: str = "en", **more: Any) -> dict[str, Any]:
    base = {"tokens": 4, "finish_reason": "stop", "reference_logprob": None, "reference_tokens": None}
    return {"id": name, "model": model, "score": score, "lang": lang, **base, **more}


def test_numbers_of_one_model() -> None:
    rows = [
        row("1", "m", 1.0, reference_logprob=-6.0, reference_tokens=3),
        row("2", "m", 0.5, tokens=8, finish_reason="length", reference_logprob=-4.0, reference_tokens=1),
        row("3", "m", 0.0, "zh"),
    ]
    made = of_model(rows)
    assert (made["n"], made["correct"], made["accuracy"]) == (3, 1, pytest.approx(1 / 3))
    assert made["by_language"]["en"]["accuracy"] == 0.5
    assert made["by_language"]["zh"]["n"] == 1
    assert made["mean_tokens"] == pytest.approx(16 / 3)
    assert made["cut"] == 1
    assert made["loss"] == pytest.approx((6 + 4) / (3 + 1))  # by token, not by row
    assert (made["loss_tokens"], made["loss_rows"]) == (4, 2)


def test_comparison_counts_only_common_tasks() -> None:
    before = [row(str(n), "a", 0.0) for n in range(6)] + [row("6", "a", 1.0), row("7", "a", 1.0)]
    after = [row(str(n), "b", 1.0) for n in range(5)] + [row("6", "b", 0.0), row("7", "b", 1.0), row("9", "b", 1.0)]
    # five gained, one lost: 2 · (1 + 6) / 64
    assert compare(before, after) == {"n": 7, "gained": 5, "lost": 1, "p": pytest.approx(14 / 64)}


def test_each_model_against_the_one_before() -> None:
    made = metrics([row("1", "a", 0.0), row("1", "b", 1.0), row("1", "c", 1.0)], ["a", "b", "c"])
    assert [model["name"] for model in made["models"]] == ["a", "b", "c"]
    assert [(c["before"], c["after"], c["gained"]) for c in made["comparisons"]] == [("a", "b", 1), ("b", "c", 0)]


def test_a_model_without_answers_has_no_accuracy() -> None:
    made = of_model([])
    assert made["accuracy"] is made["loss"] is made["mean_tokens"] is None
    assert made["interval_95"] == [0.0, 1.0]
