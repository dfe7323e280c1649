"""The card's numbers, by hand."""

from __future__ import annotations

from collections import Counter

import pytest

from data_pipeline.pairs.card import card, similarity
from data_pipeline.pairs.choose import Choice
from data_pipeline.pairs.scored import Scored


def test_similarity_by_hand() -> None:
    # abc bcd cde | bcd cde def: two of four
    assert similarity("abcde", "bcdef") == pytest.approx(2 / 4)
    assert similarity("同样的", "同样的") == 1.0
    assert similarity("ab", "xyz") == 0.0
    assert similarity("", "abc") == 0.0


def test_card_by_hand() -> None:
    choices = [
        Choice(Scored("a", "long answer", 1.0, "m"), Scored("b", "short", 0.5, "p", policy=True)),
        Choice(Scored(None, "brief", 1.0, "reference"), Scored("c", "longer text", 0.0, "p", policy=True)),
        Choice(Scored("d", "same5", 0.9, "m"), Scored("e", "equal", 0.7, "n")),
    ]
    made = card(choices, Counter({"all_equal": 2}))
    assert (made["prompts"], made["pairs"], made["without_pair"]) == (5, 3, {"all_equal": 2})
    assert made["median_gap"] == 0.5  # of 0.5, 1.0, 0.2
    assert made["longer_is_chosen"] == 0.5  # one of the two with unequal lengths
    assert made["policy_rejected"] == pytest.approx(2 / 3)
    assert made["reference_chosen"] == pytest.approx(1 / 3)
    assert made["median_characters"] == {"chosen": 5, "rejected": 5}
    assert made["rejected_models"] == {"p": 2, "n": 1}


def test_card_of_nothing_has_no_numbers() -> None:
    made = card([], Counter({"too_few_valid": 1}))
    assert made["pairs"] == 0
    assert made["median_gap"] is made["longer_is_chosen"] is made["mean_similarity"] is None
