"""From open tags to a set that can be counted: InsTag's four steps (Lu and others, arXiv 2308.07074), for Chinese too.

Folding, where InsTag stems (stems do nothing for Chinese): width, case, blanks and joining marks. Then tags that are
too rare go; tags that are near in an embedding become the commonest of them; tags that always stand together become
one. Each step is a function over the tags of rows and says what it did to each tag.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

Tags = list[list[str]]

_JOINING = re.compile(r"[\s_\-–—/·・.]+")
_HAN = r"\u3400-\u4dbf\u4e00-\u9fff"
_BETWEEN_HAN = re.compile(rf"(?<=[{_HAN}]) (?=[{_HAN}])")
_EDGES = " \t\n\"'“”‘’#*,;:!?()[]{}<>《》「」【】、。"


class Normalised(NamedTuple):
    """Tags after all steps.

    Args:
        tags: of each row, without repeats.
        into: for every folded tag, what it became; None for one that was too rare.
        counts: different tags after each step: `raw`, `folded`, `frequent`, `alike`, `together`.

    """

    tags: Tags
    into: dict[str, str | None]
    counts: dict[str, int]


def normalise(
    tags: Sequence[Sequence[str]],
    embed: Callable[[list[str]], np.ndarray],
    *,
    least_rows: int,
    least_cosine: float,
    together_rows: int,
    together_share: float,
) -> Normalised:
    """Return the tags of rows after all four steps.

    Args:
        tags: open tags of each row.
        embed: gives float32 [tags, d] of length 1.
        least_rows: a tag of fewer rows goes.
        least_cosine: tags this near are one.
        together_rows: in so many rows two tags must stand together to become one,
        together_share: and in this share of the rows of either.

    """
    folded = [list(dict.fromkeys(filter(None, map(fold, row)))) for row in tags]
    counts = {"raw": len({tag for row in tags for tag in row}), "folded": len(_rows_of(folded))}
    steps: dict[str, Callable[[Tags], Mapping[str, str | None]]] = {
        "frequent": lambda rows: too_rare(rows, least_rows),
        "alike": lambda rows: alike(rows, embed, least_cosine),
        "together": lambda rows: together(rows, together_rows, together_share),
    }
    into: dict[str, str | None] = {tag: tag for tag in _rows_of(folded)}
    now = folded
    for name, step in steps.items():
        change = step(now)
        into = {tag: None if there is None else change.get(there, there) for tag, there in into.items()}
        now = [list(dict.fromkeys(new for tag in row if (new := change.get(tag, tag)))) for row in now]
        counts[name] = len(_rows_of(now))
    return Normalised(now, into, counts)


def fold(tag: str) -> str:
    """Return a tag in NFKC and lower case, words apart by one blank, Chinese characters by none; "" for no tag."""
    text = _JOINING.sub(" ", unicodedata.normalize("NFKC", tag).lower().strip(_EDGES)).strip(_EDGES)
    return _BETWEEN_HAN.sub("", text)


def too_rare(tags: Tags, least_rows: int) -> dict[str, None]:
    """Return the tags of fewer rows than that."""
    return {tag: None for tag, rows in _rows_of(tags).items() if rows < least_rows}


def alike(tags: Tags, embed: Callable[[list[str]], np.ndarray], least_cosine: float) -> dict[str, str]:
    """Return what each tag becomes that is near to a commoner one: the nearest of those that stay.

    The commonest come first, so that a chain of near tags does not become one, as it would by single linkage.
    """
    by_rows = sorted(_rows_of(tags).items(), key=lambda item: (-item[1], item[0]))
    names = [tag for tag, _ in by_rows]
    vectors = embed(names) if names else np.zeros((0, 1), dtype=np.float32)
    kept: list[int] = []
    into = {}
    for at, tag in enumerate(names):
        cosines = vectors[kept] @ vectors[at]
        if len(kept) and cosines.max() >= least_cosine:
            into[tag] = names[kept[int(cosines.argmax())]]
        else:
            kept.append(at)
    return into


def together(tags: Tags, least_rows: int, least_share: float) -> dict[str, str]:
    """Return what each tag becomes that always stands with another: the commoner of the two.

    InsTag asks for one side of the rule only (confidence 0.99); that loses a special tag for the general one that it
    always comes with. Both sides are asked here.
    """
    rows = _rows_of(tags)
    pairs = Counter(pair for row in tags for pair in combinations(sorted(row), 2))
    into: dict[str, str] = {}
    for (one, other), both in sorted(pairs.items(), key=lambda item: (-item[1], item[0])):
        if both >= least_rows and both >= least_share * max(rows[one], rows[other]):
            first, second = sorted((one, other), key=lambda tag: (-rows[tag], tag))
            if second not in into:
                into[second] = into.get(first, first)
    return {tag: into.get(there, there) for tag, there in into.items()}


def _rows_of(tags: Tags) -> Counter[str]:
    """Return in how many rows each tag stands."""
    return Counter(tag for row in tags for tag in set(row))
