"""Near copies: edited until every measure says that they are duplicates, or that they are none."""

from __future__ import annotations

import random
import re

from cleaning.sample_maker.banks import Topic, joined
from cleaning.sample_maker.carriers import BOTH, CLOSINGS, POLITE, SYNONYMS
from cleaning.sample_maker.pieces import Draft
from cleaning.sample_maker.resemblance import is_different, is_near

Dice = random.Random
_TRIES = 200


def near_twin(draft: Draft, dice: Dice) -> list[str]:
    """Return the turns of a row, reworded a little, so that both are duplicates by every measure.

    Raises:
        ValueError: no edit was small enough: the row is too short.

    """
    for _ in range(_TRIES):
        turns = _reworded(draft.lang, draft.turns, dice)
        if is_near(draft.lang, draft.turns, turns):
            return turns
    raise ValueError(f"no near twin of {draft.turns}")


def _reworded(lang: str, turns: list[str], dice: Dice) -> list[str]:
    *before, last = turns
    for edit in dice.sample(["word", "close", "cut", "greet"], dice.choice([1, 1, 2])):
        if edit == "word":
            last = _other_word(lang, last, dice)
        elif edit == "close":
            last = joined(lang, [last, dice.choice(CLOSINGS[lang])])
        elif edit == "cut":
            last = _without_last_sentence(lang, last)
        elif before:
            before = [*before[:-1], dice.choice(POLITE[lang]) + before[-1]]
    return [*before, last]


def _other_word(lang: str, text: str, dice: Dice) -> str:
    word, other = dice.choice(SYNONYMS[lang])
    if dice.random() < 0.5:
        word, other = other, word
    return text.replace(word, other, 1) if lang == "zh" else re.sub(rf"\b{word}\b", other, text, count=1)


def _without_last_sentence(lang: str, text: str) -> str:
    end = "。" if lang == "zh" else ". "
    head, found, _ = text.rstrip(end).rpartition(end)
    return (head + found).rstrip() if found else text


def about_both(lang: str, one: Topic, other: Topic, dice: Dice) -> tuple[list[str], list[str]]:
    """Return a question about two topics and three facts of each as the answer's sentences."""
    question = dice.choice(BOTH[lang]).format(one.title, other.title)
    facts = [*dice.sample(one.facts, 3), *dice.sample(other.facts, 3)]
    return [question, joined(lang, facts)], facts


def half_twin(draft: Draft, facts: list[str], topics: tuple[Topic, Topic], dice: Dice) -> list[str]:
    """Return the turns of a row that shares about half of its sentences with this one, yet is no duplicate.

    Raises:
        ValueError: none was found.

    """
    spare = [fact for topic in topics for fact in topic.facts if fact not in facts]
    for _ in range(_TRIES):
        kept = dice.sample(facts, 4)
        question = dice.choice(BOTH[draft.lang]).format(*(topic.title for topic in topics[::-1]))
        turns = [question, joined(draft.lang, [*kept, *dice.sample(spare, 2)])]
        if is_different(draft.lang, draft.turns, turns):
            return turns
    raise ValueError(f"no half twin of {draft.turns}")
