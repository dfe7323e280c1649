"""How hard the pairs are: numbers that a later round is compared with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean, median
from typing import Any

from data_pipeline.pairs.choose import REFERENCE, Choice


def trigrams(text: str) -> set[str]:
    """Return the character 3-grams of a text; a shorter text is its own only one."""
    return {text[start : start + 3] for start in range(len(text) - 2)} or {text}


def similarity(left: str, right: str) -> float:
    """Return the Jaccard similarity of the character 3-grams of two texts, 0..1."""
    a, b = trigrams(left), trigrams(right)
    return len(a & b) / len(a | b)


def card(choices: Sequence[Choice], reasons: Counter[str]) -> dict[str, Any]:
    """Return the card of a set of pairs; shares and medians are null when there is no pair.

    Args:
        choices: the pairs.
        reasons: how many prompts gave none, by reason.

    """
    lengths = [(len(choice.chosen.text), len(choice.rejected.text)) for choice in choices]
    unequal = [chosen > rejected for chosen, rejected in lengths if chosen != rejected]
    return {
        "prompts": len(choices) + reasons.total(),
        "pairs": len(choices),
        "without_pair": dict(sorted(reasons.items())),
        "median_gap": _or_none(median, [choice.gap for choice in choices]),
        "longer_is_chosen": _or_none(fmean, unequal),
        "policy_rejected": _or_none(fmean, [choice.rejected.policy for choice in choices]),
        "reference_chosen": _or_none(fmean, [choice.chosen.model == REFERENCE for choice in choices]),
        "mean_similarity": _or_none(fmean, [similarity(c.chosen.text, c.rejected.text) for c in choices]),
        "median_characters": {
            "chosen": _or_none(median, [chosen for chosen, _ in lengths]),
            "rejected": _or_none(median, [rejected for _, rejected in lengths]),
        },
        "chosen_models": dict(Counter(choice.chosen.model for choice in choices).most_common()),
        "rejected_models": dict(Counter(choice.rejected.model for choice in choices).most_common()),
    }


def _or_none(measure: Any, values: Sequence[float]) -> float | None:
    return float(measure(values)) if values else None
