"""Which pair a prompt gives, by hand tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from data_pipeline.pairs.choose import Choice, choose
from data_pipeline.pairs.config import PairsConfig
from data_pipeline.pairs.rules import PairRule
from data_pipeline.pairs.rules.best_worst import BestWorst
from data_pipeline.pairs.rules.mean_sigma import MeanSigma
from data_pipeline.pairs.scored import Scored

ROOT = Path(__file__).resolve().parents[3]


def config(**more: Any) -> PairsConfig:
    base = {"candidates": "c", "judgements": "j", "output": "o", "rule": {"kind": "best_worst"}}
    return PairsConfig.model_validate({**base, **more})


def answers(*scores: float, **more: Any) -> list[Scored]:
    return [Scored(f"c{place}", f"text {place}", score, **more) for place, score in enumerate(scores)]


def names(outcome: Choice | str) -> tuple[str | None, str | None]:
    assert isinstance(outcome, Choice), outcome
    return outcome.chosen.candidate_id, outcome.rejected.candidate_id


def test_best_against_worst() -> None:
    outcome = choose(answers(3, 9, 1, 5), None, config())
    assert names(outcome) == ("c1", "c2")
    assert isinstance(outcome, Choice)
    assert outcome.gap == 8


def test_between_equals_the_content_hash_decides_and_not_the_order() -> None:
    some = answers(1, 9, 1, 9)
    assert names(choose(some, None, config())) == names(choose(some[::-1], None, config())) == ("c3", "c0")


def test_mean_sigma_by_hand() -> None:
    # mean 5, population deviation sqrt((9 + 9 + 1 + 1 + 0 + 0) / 6) = sqrt(20 / 6) = 1.826; below 5 − 1.826 = 3.174: 2
    some = answers(8, 6, 5, 5, 4, 2)
    scores = [answer.score for answer in some]
    assert MeanSigma(kind="mean_sigma", sigma=1).reject(some[1:], scores).candidate_id == "c5"
    # below 5 − 0.5 · 1.826 = 4.087 lie 4 and 2: the nearest is 4
    assert MeanSigma(kind="mean_sigma", sigma=0.5).reject(some[1:], scores).candidate_id == "c4"
    # below 5 − 2 · 1.826 = 1.349 lies none: the lowest
    assert MeanSigma(kind="mean_sigma").reject(some[1:], scores).candidate_id == "c5"
    assert BestWorst(kind="best_worst").reject(some[1:], scores).candidate_id == "c5"


@pytest.mark.parametrize(
    ("some", "more", "reason"),
    [
        ([], {}, "too_few_valid"),
        (answers(7), {}, "too_few_valid"),
        (answers(7, 7, 7), {}, "all_equal"),
        (answers(7, 6.5), {"minimum_gap": 1}, "gap_below_minimum"),
        ([Scored("a", "same", 1), Scored("b", " same\n", 0)], {}, "same_text"),
        (answers(7, 1, flags=frozenset({"cut"})), {}, "all_flagged"),
        (answers(0, 0), {"include_reference_as_chosen": True}, "all_equal"),  # there is no reference
    ],
)
def test_every_prompt_without_a_pair_has_a_reason(some: list[Scored], more: dict[str, Any], reason: str) -> None:
    assert choose(some, None, config(**more)) == reason


def test_a_gap_of_exactly_the_minimum_is_enough() -> None:
    assert names(choose(answers(7, 6), None, config(minimum_gap=1))) == ("c0", "c1")


def test_the_policys_own_answer_is_rejected_where_it_fits() -> None:
    own = Scored("own", "mine", 4, policy=True)
    some = [*answers(9, 1), own]
    assert names(choose(some, None, config())) == ("c0", "own")
    assert names(choose(some, None, config(prefer_policy_rejected=False))) == ("c0", "c1")
    assert names(choose(some, None, config(minimum_gap=6))) == ("c0", "c1")  # its gap is 5
    assert names(choose([Scored("own", "mine", 9, policy=True), *answers(5, 1)], None, config())) == ("own", "c1")


def test_the_reference_is_chosen_only_where_no_answer_passes() -> None:
    with_reference = config(include_reference_as_chosen=True)
    outcome = choose(answers(0, 0), "right", with_reference)
    assert isinstance(outcome, Choice)
    assert (outcome.chosen.text, outcome.chosen.model, outcome.gap) == ("right", "reference", 1)
    assert names(choose(answers(0, 1), "right", with_reference)) == ("c1", "c0")
    assert choose(answers(0, 0), "right", config()) == "all_equal"
    assert choose([], "right", with_reference) == "too_few_valid"


def test_flagged_answers_are_never_chosen_and_empty_ones_never_rejected() -> None:
    gamed = Scored("null", "one for all", 10, flags=frozenset({"one_for_many"}))
    empty = Scored("empty", "", 0, flags=frozenset({"empty"}))
    assert names(choose([gamed, empty, *answers(5, 3)], None, config())) == ("c0", "c1")


def test_files_and_union_agree() -> None:
    files = {path.stem for path in (ROOT / "data_pipeline/pairs/rules").glob("*.py")} - {"__init__"}
    assert files == {get_args(m.model_fields["kind"].annotation)[0] for m in get_args(get_args(PairRule)[0])}
