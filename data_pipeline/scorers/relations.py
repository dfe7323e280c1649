"""Numbers that say what an answer takes from its prompt: words, runs of words, numbers, and what compression finds."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Sequence

_BYTES = 8000  # the beginning of a text that is compressed
_WORDS = 1500  # and searched for common runs
_LONGEST = 50  # words of a run; a longer one counts as this
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def related(
    prompt: str,
    rest: str,
    answer: str,
    words: tuple[Sequence[str], Sequence[str], Sequence[str]],
    function_words: frozenset[str],
) -> list[float]:
    """Return the numbers of one row.

    Args:
        prompt: all turns that are not the assistant's.
        rest: the prompt after its first line.
        answer: the assistant's turns.
        words: of the prompt's first line, of `rest`, of the answer, in lower case.
        function_words: words that say nothing about what a text is about.

    """
    task, beside, said = words
    before = [*task, *beside]
    return [
        float(bool(rest)),
        math.log((len(answer) + 1) / (len(prompt) + 1)),
        math.log((len(answer) + 1) / (len(rest) + 1)),
        *_shared(set(before), set(said)),
        *_shared(set(before) - function_words, set(said) - function_words),
        float(bool(answer) and answer.strip() in prompt),
        sum(word in before for word in said[:8]) / 8,
        sum(word in said for word in task[-3:]) / 3,
        float(bool(said) and said[0] in before),
        *_copied(task, before, beside, said),
        *_compressed(prompt, answer),
        *_numbers(set(_NUMBER.findall(prompt)), set(_NUMBER.findall(answer))),
    ]


def _shared(before: set[str], said: set[str]) -> list[float]:
    both = len(before & said)
    return [both / (len(said) + 1), both / (len(before) + 1)]


def _copied(task: Sequence[str], before: Sequence[str], beside: Sequence[str], said: Sequence[str]) -> list[float]:
    triples = set(_runs(said, 3))
    from_all, from_rest = longest_run(said, before), longest_run(said, beside)
    return [
        len(triples & set(_runs(beside, 3))) / (len(triples) + 1),
        math.log1p(from_all),
        from_all / (min(len(said), _LONGEST) + 1),
        from_all / (len(task) + 1),
        math.log1p(from_rest),
        from_rest / (min(len(said), _LONGEST) + 1),
    ]


def longest_run(left: Sequence[str], right: Sequence[str]) -> int:
    """Return how many words the longest run has that stands in both, at most 50.

    By bisection: what shares a run of n words shares one of n − 1.
    """
    left, right = left[:_WORDS], right[:_WORDS]
    low, high = 0, min(len(left), len(right), _LONGEST)
    while low < high:
        middle = (low + high + 1) // 2
        if set(_runs(left, middle)).isdisjoint(_runs(right, middle)):
            high = middle - 1
        else:
            low = middle
    return low


def _runs(words: Sequence[str], length: int) -> zip[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(length)), strict=False)


def _compressed(prompt: str, answer: str) -> list[float]:
    """Return how far each text compresses, and how much one saves where the other stands before it."""
    first, second = prompt.encode()[:_BYTES], answer.encode()[:_BYTES]
    alone, said, both = (len(zlib.compress(text)) for text in (first, second, first + b"\n" + second))
    return [
        alone / (len(first) + 12),
        said / (len(second) + 12),
        (both - alone) / (said + 1),
        (both - said) / (alone + 1),
    ]


def _numbers(before: set[str], said: set[str]) -> list[float]:
    new = len(said - before)
    return [math.log1p(new), new / (len(said) + 1), len(before - said) / (len(before) + 1)]
