"""How much rows resemble each other: exact Jaccard of character 5-grams, and for English of word 3- and 5-grams too.

A pair counts as a duplicate when all of these say so, and as none when none of them does, so that the truth does not
hang on what a deduplication takes as a shingle.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

DUPLICATE, DIFFERENT, UNRELATED = 0.78, 0.58, 0.45
"""At least, at most, and at most between rows that have nothing to do with each other; 0.7 is the usual threshold."""

_WORD = re.compile(r"\w+")


def normalised(turns: list[str]) -> str:
    """Return a row's text as duplicates are compared: NFC, turns and blanks parted by one blank."""
    return " ".join(unicodedata.normalize("NFC", "\n".join(turns)).split())


def grams(text: str, size: int = 5) -> frozenset[str]:
    """Return the character n-grams of a text; none when it is shorter."""
    return frozenset(map("".join, zip(*(text[at:] for at in range(size)), strict=False)))


def word_grams(text: str, size: int) -> frozenset[str]:
    """Return the word n-grams of a text."""
    words = _WORD.findall(text.lower())
    return frozenset(map(" ".join, zip(*(words[at:] for at in range(size)), strict=False)))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Return |A ∩ B| / |A ∪ B|; 0 for two empty sets."""
    both = len(one & other)
    return both / max(1, len(one) + len(other) - both)


def row_jaccard(one: list[str], other: list[str]) -> float:
    """Return the Jaccard of two rows' normalised texts by character 5-grams."""
    return jaccard(grams(normalised(one)), grams(normalised(other)))


def measures(lang: str, one: list[str], other: list[str]) -> list[float]:
    """Return the Jaccards of two rows' whole texts and of their answers, by every kind of shingle."""
    found = []
    for part in (slice(None), slice(1, None, 2)):
        texts = [normalised(turns[part] or turns) for turns in (one, other)]
        found.append(jaccard(*map(grams, texts)))
        if lang == "en":
            found += [jaccard(*(word_grams(text, size) for text in texts)) for size in (3, 5)]
    return found


def is_near(lang: str, one: list[str], other: list[str]) -> bool:
    """Tell whether two rows are clearly duplicates, but not equal."""
    found = measures(lang, one, other)
    return min(found) >= DUPLICATE and max(found) < 0.99


def is_different(lang: str, one: list[str], other: list[str]) -> bool:
    """Tell whether two rows resemble each other, but clearly are no duplicates."""
    found = measures(lang, one, other)
    return found[0] >= 0.3 and max(found) <= DIFFERENT


class Crowd:
    """The rows so far: tells how near a new one comes to any of them, by characters and by words."""

    def __init__(self) -> None:
        self._rows: list[list[str]] = []
        self._indexes = (_Index(grams), _Index(lambda text: word_grams(text, 3)))

    def nearest(self, turns: list[str], kin: Sequence[list[str]] = ()) -> float:
        """Return the largest Jaccard with a row of the crowd; `kin` are rows of it that do not count."""
        ours = {number for number, row in enumerate(self._rows) if any(row is other for other in kin)}
        return max(index.nearest(normalised(turns), ours) for index in self._indexes)

    def add(self, turns: list[str]) -> None:
        """Take a row in."""
        self._rows.append(turns)
        for index in self._indexes:
            index.add(normalised(turns))


class _Index:
    """Which texts have a shingle."""

    def __init__(self, shingles: Callable[[str], frozenset[str]]) -> None:
        self._shingles = shingles
        self._sizes: list[int] = []
        self._texts_with: dict[str, list[int]] = defaultdict(list)

    def nearest(self, text: str, but: set[int]) -> float:
        own = self._shingles(text)
        shared = Counter(number for shingle in own for number in self._texts_with.get(shingle, ()))
        found = (n / (len(own) + self._sizes[number] - n) for number, n in shared.items() if number not in but)
        return max(found, default=0.0)

    def add(self, text: str) -> None:
        own = self._shingles(text)
        for shingle in own:
            self._texts_with[shingle].append(len(self._sizes))
        self._sizes.append(len(own))
