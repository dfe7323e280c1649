"""Answers that are no answers: empty, cut off, the question again, one phrase over and over, one text for all."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Literal, get_args

from data_pipeline.prompts import fold_blanks

Flag = Literal["empty", "cut", "copy_of_prompt", "repetition", "one_for_many"]
FLAGS: tuple[Flag, ...] = get_args(Flag)

# Starting values, chosen so that ordinary prose, code and tables of strong models stay free.
TAIL = 1000  # characters: a loop is at the end
SHORTEST = 100  # characters: below, repetition means nothing
GRAM = 10  # characters
DISTINCT = 0.5  # share of distinct n-grams below which a text runs in circles
MANY = 20  # prompts: below, one answer for many means nothing
CONSTANT = 0.5  # share of a model's prompts above which one text is no answer to any of them


def flags_of(question: str, text: str, finish_reason: str | None) -> list[Flag]:
    """Return what is wrong with one answer by itself, in the order of `FLAGS`."""
    folded = fold_blanks(text)
    asked = fold_blanks(question)
    signs = {
        "empty": not folded,
        "cut": finish_reason == "length",
        "copy_of_prompt": bool(folded) and folded.casefold() == asked.casefold(),
        "repetition": distinct_share(folded) < DISTINCT,
    }
    return [flag for flag in FLAGS if signs.get(flag)]


def distinct_share(text: str) -> float:
    """Return the share of distinct character 10-grams in the last 1,000 characters, 0..1; 1 for a short text."""
    tail = text[-TAIL:]
    if len(tail) < SHORTEST:
        return 1.0
    grams = [tail[start : start + GRAM] for start in range(len(tail) - GRAM + 1)]
    return len(set(grams)) / len(grams)


def constant_answers(rows: Iterable[tuple[str, str, str]]) -> set[tuple[str, str]]:
    """Return every (model, text with blanks folded) that a model gives to more than half of at least 20 prompts.

    Such an answer can still win a judge's preference, and must not be learnt from.

    Args:
        rows: (model, prompt id, text) of all answers.

    """
    prompts: dict[str, set[str]] = defaultdict(set)
    given: dict[tuple[str, str], set[str]] = defaultdict(set)
    for model, prompt_id, text in rows:
        prompts[model].add(prompt_id)
        given[model, fold_blanks(text)].add(prompt_id)
    asked = Counter({model: len(ids) for model, ids in prompts.items()})
    return {key for key, ids in given.items() if asked[key[0]] >= MANY and len(ids) > CONSTANT * asked[key[0]]}
