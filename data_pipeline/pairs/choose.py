"""From the judged answers to one prompt: a pair, or the reason why not. Pure functions on lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from data_pipeline.pairs.config import PairsConfig
from data_pipeline.pairs.scored import Scored
from data_pipeline.prompts import fold_blanks

Reason = Literal["too_few_valid", "all_flagged", "same_text", "all_equal", "gap_below_minimum"]
REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Choice:
    """A pair of answers to one prompt."""

    chosen: Scored
    rejected: Scored

    @property
    def gap(self) -> float:
        """How much better the chosen one is, in the judge's unit."""
        return self.chosen.score - self.rejected.score


def choose(answers: Sequence[Scored], reference: str | None, config: PairsConfig) -> Choice | Reason:
    """Make the pair of one prompt.

    Args:
        answers: with a valid score.
        reference: the seed's own answer.
        config: rule and limits.

    Returns:
        The pair, or why there is none.

    """
    chosen = best(answers, reference, config)
    others = [a for a in answers if a is not chosen and not a.flags.intersection(config.never_rejected)]
    if chosen is None:
        return "all_flagged" if answers else "too_few_valid"
    if not others:
        return "too_few_valid"
    different = [answer for answer in others if fold_blanks(answer.text) != fold_blanks(chosen.text)]
    if not different:
        return "same_text"
    worse = [answer for answer in different if answer.score < chosen.score]
    if not worse:
        return "all_equal"
    return reject(chosen, worse, [answer.score for answer in answers], config)


def best(answers: Sequence[Scored], reference: str | None, config: PairsConfig) -> Scored | None:
    """Return the answer to choose, None when every one is flagged. Between equals the content hash decides."""
    clean = [answer for answer in answers if not answer.flags.intersection(config.never_chosen)]
    top = max(clean, key=lambda answer: (answer.score, answer.candidate_id or ""), default=None)
    passed = top is not None and top.score >= config.passing_score
    if config.include_reference_as_chosen and reference is not None and not passed:
        return Scored(None, reference, 1.0, REFERENCE)
    return top


def reject(chosen: Scored, worse: Sequence[Scored], scores: Sequence[float], config: PairsConfig) -> Choice | Reason:
    """Let the rule reject one of the worse answers, the policy's own first where that is preferred."""
    own = [answer for answer in worse if answer.policy] if config.prefer_policy_rejected else []
    for pool in (own, worse):
        if pool and (choice := Choice(chosen, config.rule.reject(pool, scores))).gap >= config.minimum_gap:
            return choice
    return "gap_below_minimum"
