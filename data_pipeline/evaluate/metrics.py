"""Numbers with their uncertainty, from rows of answers. Pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from utils.report.intervals import sign_test, wilson

Row = dict[str, Any]  # a row of answers.parquet


def accuracy(rows: Sequence[Row]) -> dict[str, Any]:
    """Return n, how many are right (score 1), their share, and Wilson's 95 % interval."""
    right = sum(row["score"] == 1.0 for row in rows)
    return {
        "n": len(rows),
        "correct": right,
        "accuracy": right / len(rows) if rows else None,
        "interval_95": list(wilson(right, len(rows))),
    }


def heldout_loss(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the mean loss of a reference token in nats, every token weighing the same, and the tokens counted."""
    scored = [row for row in rows if row["reference_logprob"] is not None]
    tokens = sum(row["reference_tokens"] for row in scored)
    loss = -sum(row["reference_logprob"] for row in scored) / tokens if tokens else None
    return {"loss": loss, "loss_tokens": tokens, "loss_rows": len(scored)}


def of_model(rows: Sequence[Row]) -> dict[str, Any]:
    """Return all numbers of one model."""
    languages = defaultdict(list)
    for row in rows:
        languages[row["lang"]].append(row)
    return {
        **accuracy(rows),
        "by_language": {lang: accuracy(some) for lang, some in sorted(languages.items())},
        "mean_tokens": sum(row["tokens"] for row in rows) / len(rows) if rows else None,
        "cut": sum(row["finish_reason"] == "length" for row in rows),
        **heldout_loss(rows),
    }


def compare(before: Sequence[Row], after: Sequence[Row]) -> dict[str, Any]:
    """Compare two models on the tasks that both answered: who is right where the other is wrong (exact McNemar)."""
    earlier = {row["id"]: row["score"] == 1.0 for row in before}
    both = [(earlier[row["id"]], row["score"] == 1.0) for row in after if row["id"] in earlier]
    gained, lost = both.count((False, True)), both.count((True, False))
    return {"n": len(both), "gained": gained, "lost": lost, "p": sign_test(gained, lost)}


def metrics(rows: Sequence[Row], models: Sequence[str]) -> dict[str, Any]:
    """Return the numbers of every model, and of each against the one before it."""
    by_model: dict[str, list[Row]] = {model: [] for model in models}
    for row in rows:
        by_model[row["model"]].append(row)
    return {
        "models": [{"name": model, **of_model(some)} for model, some in by_model.items()],
        "comparisons": [{"before": a, "after": b, **compare(by_model[a], by_model[b])} for a, b in pairwise(models)],
    }
