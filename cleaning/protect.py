"""What editing rules must not touch: code, formulas, Markdown tables, addresses, numbers, quotations inside a text.

Spans are found from left to right, the form that begins first taking what it spans, so a dollar sign in code opens no
formula. A text with none of the opening characters is a single free segment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import repeat
from typing import NamedTuple

CODE, MATHS, TABLE, URL, NUMBER, QUOTE = "code", "maths", "table", "url", "number", "quote"
KINDS = frozenset({CODE, MATHS, TABLE, URL, NUMBER, QUOTE})
MARKUP = frozenset({CODE, MATHS, TABLE})

# A fence at the start of a line ends at such a fence, one in the middle of a line at the next; an unclosed fence
# ends with the text. Possessive repeats keep every alternative linear.
_FENCE = r"^[ \t>]*+(?P<fence>`{3,}+|~{3,}+)(?s:.*?)(?:^[ \t>]*+(?P=fence)[`~]*+[ \t]*+$|\Z)"
_FENCE_INSIDE = r"(?P<inside>`{3,}+)(?s:.*?)(?:(?P=inside)`*+|\Z)"
_INLINE = r"(?P<ticks>`{1,2}+)(?!`)[^`\n]++(?P=ticks)(?!`)"
# A row with a bar, the row of dashes, then all rows with a bar.
_TABLE = (
    r"^(?=[^\n|]*+\|)[^\n]*+\n[ \t]*+\|?[ \t]*+:?-+:?[ \t]*+(?=[|\n]|\Z)(?:\|[ \t]*+:?-*+:?[ \t]*+)*+(?=\n|\Z)"
    r"(?:\n(?=[^\n|]*+\|)[^\n]*+)*+"
)
# A formula holds no second opening of its kind, and its length is bounded, so a text of openings costs little.
_DISPLAY = r"\$\$(?s:(?!\$\$).){1,4000}+\$\$|\\\[(?s:(?!\\[\[\]]).){1,4000}+\\\]|\\\((?s:(?!\\[()]).){1,2000}+\\\)"
_ENVIRONMENT = r"\\begin\{(?P<environment>[a-zA-Z]+\*?)\}(?s:.){0,4000}?\\end\{(?P=environment)\}"
# Pandoc's rule (no blank inside the dollars, no digit after), and something in it that money does not have.
_DOLLARS = r"\$(?<![\\$\w]\$)(?![\s$])(?=[^$\n]*[\\^_={}<>+*/|()a-zA-Z])[^$\n]{1,400}(?<![\s\\])\$(?![\d$])"

# An address ends where an address ends: at a blank, a quote, or a mark of Chinese; a closing mark at its end is not
# its own unless it was opened inside.
_SIGNS = r"[a-zA-Z0-9\-._~:/?#\[\]@!$&*+,;=%]"
URL_PATTERN = (
    r"(?:https?://|ftp://|www\.(?<![\w@./-]www\.)(?=[a-zA-Z0-9-]+\.))"
    rf"(?:(?:{_SIGNS}*+\([a-zA-Z0-9\-._~:/?#@!$&*+,;=%]*+\))++{_SIGNS}*|{_SIGNS}+)(?<![.,;:!?\]\[*_~@])"
)
_NUMBER = r"[0-9]++(?:[.,:/-][0-9]++)*+[%‰]?"
_QUOTE = '“[^“”\n]{1,400}+”|「[^「」\n]{1,400}+」|『[^『』\n]{1,400}+』|"[^"\n]{1,400}+"'

# What a text must have for a form to be in it; the scan of a column tells which (`cleaning.apply`), one bit each.
TICK, TILDES, BAR, DOLLAR, BACKSLASH, ADDRESS, DIGIT, MARK = (1 << at for at in range(8))
ANYTHING = 255


class _Form(NamedTuple):
    """One form of a kind: its expression, the openings of which a text needs one, and what shows that it is not there.

    `hints` are pieces of text of which it needs one, or an expression that is quick to search.
    """

    kind: str
    pattern: re.Pattern[str]
    needs: int
    hints: tuple[str, ...] | re.Pattern[str]

    def may_be_in(self, text: str) -> bool:
        if isinstance(self.hints, re.Pattern):
            return self.hints.search(text) is not None
        return any(hint in text for hint in self.hints)


def _form(kind: str, pattern: str, needs: int, hints: tuple[str, ...] | re.Pattern[str]) -> _Form:
    return _Form(kind, re.compile(pattern, re.MULTILINE), needs, hints)


# In the order in which they are tried at a place. Each has an expression of its own: a search for one form begins
# with a literal or a set of characters and is far quicker than one for any of them.
_FORMS = (
    _form(CODE, _FENCE, TICK | TILDES, ("```", "~~~")),
    _form(CODE, _FENCE_INSIDE, TICK, ("```",)),
    _form(TABLE, _TABLE, BAR, re.compile(r"\n[ \t]*+\|?[ \t]*+:?-+:?[ \t]*+(?:[|\n]|\Z)")),
    _form(MATHS, _DISPLAY, DOLLAR | BACKSLASH, ("$$", "\\[", "\\(")),
    _form(MATHS, _ENVIRONMENT, BACKSLASH, ("\\begin{",)),
    _form(MATHS, _DOLLARS, DOLLAR, ("$",)),
    _form(URL, URL_PATTERN, ADDRESS, ("://", "www.")),
    _form(QUOTE, _QUOTE, MARK, ("“", "「", "『", '"')),
    _form(NUMBER, _NUMBER, DIGIT, ("",)),
    _form(CODE, _INLINE, TICK, ("`",)),
)
_CACHED = 20_000
"""Characters: shorter texts are kept with their spans for a while, for the next rule will ask again."""


@cache
def openings(kinds: frozenset[str]) -> int:
    """Return the openings of these kinds, of which a text needs one to have any span."""
    return sum({bit for form in _FORMS for bit in _bits(form.needs) if form.kind in kinds})


def _bits(number: int) -> list[int]:
    return [1 << at for at in range(8) if number >> at & 1]


@cache
def _asked(kinds: frozenset[str], opened: int) -> tuple[_Form, ...]:
    return tuple(form for form in _FORMS if form.kind in kinds and form.needs & opened)


def spans(text: str, kinds: frozenset[str] = MARKUP, opened: int = ANYTHING) -> list[tuple[int, int]]:
    """Return the protected [start, end) ranges of a text, in order; `opened` is what the scan saw of openings."""
    asked = _asked(kinds, opened)
    return list(_recent(text, asked)) if len(text) < _CACHED else _spans(text, asked)


def _spans(text: str, asked: tuple[_Form, ...]) -> list[tuple[int, int]]:
    patterns = [form.pattern for form in asked if form.may_be_in(text)]
    if len(patterns) < 2:
        return [match.span() for pattern in patterns for match in pattern.finditer(text)]
    upcoming = [(match.span(), pattern) for pattern in patterns if (match := pattern.search(text))]
    found = []
    while upcoming:
        taken = min(upcoming, key=lambda one: one[0][0])[0]  # of those that begin here the first form
        found.append(taken)
        upcoming = [
            (match.span() if match else span, pattern)
            for span, pattern in upcoming
            if (match := pattern.search(text, taken[1]) if span[0] < taken[1] else None) or span[0] >= taken[1]
        ]
    return found


_recent = lru_cache(maxsize=4096)(_spans)


@dataclass(slots=True)
class Pieces:
    """Texts cut into free segments and the protected pieces between them.

    `free` has the free segments of all texts one after the other; `opens` and `closes` tell whether a segment begins
    or ends its text, for rules that care; `kept[i]` are the protected pieces of text i, one fewer than its segments.
    """

    free: list[str] = field(default_factory=list)
    opens: list[bool] = field(default_factory=list)
    closes: list[bool] = field(default_factory=list)
    kept: list[list[str]] = field(default_factory=list)

    def join(self, free: list[str]) -> list[str]:
        """Return the texts, put together again from other free segments."""
        texts, at = [], 0
        for kept in self.kept:
            if kept:
                own = free[at : at + len(kept) + 1]
                texts.append("".join(part for pair in zip(own, [*kept, ""], strict=True) for part in pair))
            else:
                texts.append(free[at])
            at += len(kept) + 1
        return texts

    def sums(self, counts: list[int]) -> list[int]:
        """Return a number per text from a number per segment."""
        totals, at = [], 0
        for kept in self.kept:
            totals.append(sum(counts[at : at + len(kept) + 1]))
            at += len(kept) + 1
        return totals


def cut(texts: Sequence[str], kinds: frozenset[str] = MARKUP, opened: Sequence[int] | None = None) -> Pieces:
    """Cut texts into free and protected pieces; `opened` is what the scan saw of openings in each."""
    pieces = Pieces()
    for text, seen in zip(texts, opened or repeat(ANYTHING), strict=False):
        found = spans(text, kinds, seen)
        ends = [0, *(end for span in found for end in span), len(text)]
        pieces.free += [text[start:end] for start, end in zip(ends[::2], ends[1::2], strict=True)]
        pieces.opens += [True, *[False] * len(found)]
        pieces.closes += [*[False] * len(found), True]
        pieces.kept.append([text[start:end] for start, end in found])
    return pieces
