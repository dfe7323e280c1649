"""Where two texts differ: by words and single CJK characters, by characters where words are nearly alike."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

CJK = "\u2e80-\u9fff\uac00-\ud7ff\uf900-\ufaff"
LEVELS = (
    re.compile(rf"[{CJK}]| ?[^\W{CJK}]+|\W"),  # a blank goes with its word: alone it would match everywhere
    re.compile(rf"[{CJK}]|[^\W{CJK}]+|\W"),
    re.compile(".", re.DOTALL),
)
LETTERS = len(LEVELS) - 1
BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
ALIKE = 0.75
CONTEXT = 80
LIMIT = 20_000  # characters of each text that are compared and shown
MOST_PAIRS = 1_000_000  # of equal tokens; above, difflib leaves very frequent tokens out of its search
MOST_FINE_PAIRS = 50_000
SPACES = {" ": "·", "\n": "↵\n", "\t": "⇥\t", "\r": "␍", "\u3000": "□"}

Kind = Literal["same", "changed", "cut"]
Opcode = tuple[str, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of one text: the same on both sides, changed, or cut from view (then text is how many characters)."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides in parts, and as excerpts around the changes."""

    before: list[Part]
    after: list[Part]
    before_excerpt: list[Part]
    after_excerpt: list[Part]


def common_start(before: Sequence[str], after: Sequence[str]) -> int:
    """Return the length of the common beginning, in few comparisons even for very long texts or lists of tokens."""
    low, high = 0, min(len(before), len(after))
    while low < high:
        middle = (low + high + 1) // 2
        if before[low:middle] == after[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def opcodes(before: Sequence[str], after: Sequence[str]) -> list[Opcode]:
    """Return difflib's steps from one sequence to the other, which see only what lies between their common ends."""
    start = common_start(before, after)
    end = common_start(before[start:][::-1], after[start:][::-1])
    left, right = before[start : len(before) - end], after[start : len(after) - end]
    steps = SequenceMatcher(None, left, right, autojunk=equal_pairs(left, right) > MOST_PAIRS).get_opcodes()
    inner = [(tag, i + start, j + start, m + start, n + start) for tag, i, j, m, n in steps]
    last = ("equal", len(before) - end, len(before), len(after) - end, len(after))
    return [("equal", 0, start, 0, start), *inner, last]


def equal_pairs(before: Sequence[str], after: Sequence[str]) -> int:
    """Return how many pairs of equal elements there are: what difflib's search has to look at."""
    others = Counter(after)
    return sum(count * others[element] for element, count in Counter(before).items())


def worth_splitting(before: str, after: str, level: int) -> bool:
    """Return whether a replaced stretch is compared again in smaller tokens: unless long, and by letters when alike."""
    if level > LETTERS:
        return False
    tokens = LEVELS[level].findall(before), LEVELS[level].findall(after)
    if equal_pairs(*tokens) > MOST_FINE_PAIRS:
        return False
    return level < LETTERS or SequenceMatcher(None, *tokens, autojunk=False).ratio() >= ALIKE


def sides(before: str, after: str, level: int = 0) -> tuple[list[Part], list[Part]]:
    """Return both texts in parts: joined, they are the texts again."""
    left_tokens, right_tokens = LEVELS[level].findall(before), LEVELS[level].findall(after)
    left: list[Part] = []
    right: list[Part] = []
    for tag, i, j, m, n in opcodes(left_tokens, right_tokens):
        one, other = "".join(left_tokens[i:j]), "".join(right_tokens[m:n])
        if tag == "replace" and worth_splitting(one, other, level + 1):
            ones, others = sides(one, other, level + 1)
        else:
            kind: Kind = "same" if tag == "equal" else "changed"
            ones, others = [Part(kind, one)], [Part(kind, other)]
        left += ones
        right += others
    return merged(left), merged(right)


def merged(parts: Sequence[Part]) -> list[Part]:
    """Return the parts without empty ones, neighbours of one kind joined."""
    result: list[Part] = []
    for part in (part for part in parts if part.text):
        if result and result[-1].kind == part.kind != "cut":
            result[-1] = Part(part.kind, result[-1].text + part.text)
        else:
            result.append(part)
    return result


def windowed(parts: Sequence[Part], start: int, rest: int) -> list[Part]:
    """Return a side with what was not compared, before and after it, as cuts."""
    head = [Part("cut", f"{start:,}")] if start else []
    return [*head, *parts, *([Part("cut", f"{rest:,}")] if rest else [])]


def drop_loose_end(ones: list[Part], others: list[Part]) -> None:
    """Take a last change away where it only is what stands against the other text beyond its cut."""
    one = ones[-1].text if ones and ones[-1].kind == "changed" else ""
    other = others[-1].text if others and others[-1].kind == "changed" else ""
    if one.startswith(other) or other.startswith(one):
        del ones[len(ones) - bool(one) :], others[len(others) - bool(other) :]


def excerpt(parts: Sequence[Part], context: int = CONTEXT) -> list[Part]:
    """Return the parts with long unchanged stretches cut down to some context on both sides of each change."""
    result: list[Part] = []
    for number, part in enumerate(parts):
        ahead = context if number else 0
        behind = context if number < len(parts) - 1 else 0
        if len(parts) == 1:
            ahead = 2 * context
        if part.kind == "cut" or len(part.text) - ahead - behind <= context:
            result.append(part)
            continue
        start = _to_space(part.text[:ahead])
        end = _to_space(part.text[len(part.text) - behind :][::-1])[::-1]
        spare = len(part.text) - len(start) - len(end)
        result += [Part(part.kind, start), Part("cut", f"{spare:,}"), Part(part.kind, end)]
    return merged(result)


def _to_space(text: str, at_most: int = 20) -> str:
    """Return the text without its last, perhaps broken word; scripts without spaces keep all of it."""
    space = text.rfind(" ", max(0, len(text) - at_most))
    return text if space < 0 else text[: space + 1]


def compare(before: str, after: str) -> Comparison:
    """Return the comparison of two texts of any length; only the first `LIMIT` characters around a change are shown."""
    start = end = 0
    if max(len(before), len(after)) > LIMIT:
        same = common_start(before, after)
        start = max(0, same - CONTEXT)
        end = max(0, common_start(before[same:][::-1], after[same:][::-1]) - CONTEXT)
    one, other = before[start : len(before) - end][:LIMIT], after[start : len(after) - end][:LIMIT]
    ones, others = sides(one, other)
    if len(before) - end > start + LIMIT or len(after) - end > start + LIMIT:
        drop_loose_end(ones, others)
    left = windowed(ones, start, len(before) - start - sum(len(part.text) for part in ones))
    right = windowed(others, start, len(after) - start - sum(len(part.text) for part in others))
    return Comparison(left, right, excerpt(left), excerpt(right))


def visible(text: str, changed: bool = False) -> str:
    """Return a text whose reading order cannot be turned; in a change, blanks and invisible characters show too."""
    if not changed:
        return BIDI.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", text)
    return "".join(SPACES.get(character) or _named(character) for character in text)


def _named(character: str) -> str:
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zs", "Zl", "Zp")
    return f"⟨U+{ord(character):04X}⟩" if hidden else character
