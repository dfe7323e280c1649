"""ROUGE-L between short texts of any language, and the nearest of a growing collection, exactly.

Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries"; the F-measure as Self-Instruct uses it (β = 1).
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from utils.data.language import HAN

# A Chinese character is a token: splitting on blanks would make one token of a Chinese instruction.
_TOKEN = re.compile(rf"[{HAN}]|[^\W_{HAN}]+")


def tokens_of(text: str) -> list[str]:
    """Return the tokens in order: words of letters and digits, lower case, and every Chinese character by itself."""
    return _TOKEN.findall(text.lower())


def common_length(left: Sequence[str], right: Sequence[str]) -> int:
    """Return the length of the longest common subsequence, by bits: one addition for each token of `right`.

    Crochemore et al. 2001, "A fast and practical bit-vector algorithm for the longest common subsequence problem".
    """
    places: dict[str, int] = {}
    for at, token in enumerate(left):
        places[token] = places.get(token, 0) | 1 << at
    full = (1 << len(left)) - 1
    free = full  # a bit that turned 0 is a step of the subsequence
    for token in right:
        met = free & places.get(token, 0)
        free = ((free + met) | (free - met)) & full
    return len(left) - free.bit_count()


def rouge_l(left: Sequence[str], right: Sequence[str]) -> float:
    """Return the F-measure 2·LCS ÷ (both lengths), 0..1; 0 when either is empty."""
    return 2 * common_length(left, right) / (len(left) + len(right)) if left and right else 0.0


@dataclass(slots=True)
class Nearest:
    """Texts that new ones are compared with.

    An inverted index counts the tokens that two texts share, which the common subsequence cannot exceed: only texts
    that could reach the threshold are compared, and none that reaches it is missed. The nth occurrence of a token is
    a token of its own, so that repeated ones are counted as often as they are there.
    """

    threshold: float
    names: list[str] = field(default_factory=list)
    texts: list[list[str]] = field(default_factory=list)
    _lengths: array[int] = field(default_factory=lambda: array("q"))
    _postings: dict[tuple[str, int], array[int]] = field(default_factory=dict)

    def add(self, name: str, text: str) -> None:
        """Take a text in."""
        tokens = tokens_of(text)
        for key in _numbered(tokens):
            self._postings.setdefault(key, array("q")).append(len(self.texts))
        self.names.append(name)
        self.texts.append(tokens)
        self._lengths.append(len(tokens))

    def nearest(self, text: str) -> tuple[str, float] | None:
        """Return name and ROUGE-L of the most alike text, the first of equals; None when none reaches the threshold."""
        tokens = tokens_of(text)
        best: tuple[str, float] | None = None
        for at in self._possible(tokens):
            score = rouge_l(tokens, self.texts[at])
            if score >= self.threshold and (best is None or score > best[1]):
                best = self.names[at], score
        return best

    def _possible(self, tokens: list[str]) -> list[int]:
        """Return the numbers of the texts that share enough tokens, in order."""
        import numpy as np

        found = [np.array(self._postings[key]) for key in _numbered(tokens) if key in self._postings]
        if not found:
            return []
        shared = np.bincount(np.concatenate(found), minlength=len(self.texts))
        bound = 2 * shared / (len(tokens) + np.array(self._lengths))
        kept: list[int] = np.flatnonzero((bound >= self.threshold) & (shared > 0)).tolist()
        return kept


def _numbered(tokens: Sequence[str]) -> list[tuple[str, int]]:
    seen: Counter[str] = Counter()
    numbered = []
    for token in tokens:
        numbered.append((token, seen[token]))
        seen[token] += 1
    return numbered
