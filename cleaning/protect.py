"""What editing rules must not touch: code, formulas and Markdown tables inside a text.

Spans are found by one regular expression per set of kinds, from left to right, so a dollar sign in code opens no
formula. A text with none of the opening characters is a single free segment and costs one search.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

CODE, MATHS, TABLE = "code", "maths", "table"
KINDS = frozenset({CODE, MATHS, TABLE})

# Polars reads it too: only characters that both regular expression engines know alike.
OPENING = r"[`$|]|~~~|\\[(\[b]"

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
_DOLLARS = r"(?<![\\$\w])\$(?![\s$])(?=[^$\n]*[\\^_={}<>+*/|()a-zA-Z])[^$\n]{1,400}(?<![\s\\])\$(?![\d$])"

_BY_KIND = {
    CODE: [_FENCE, _FENCE_INSIDE],
    TABLE: [_TABLE],
    MATHS: [_DISPLAY, _ENVIRONMENT, _DOLLARS],
}


@cache
def pattern(kinds: frozenset[str] = KINDS) -> re.Pattern[str]:
    """Return the expression that finds spans of these kinds; code first, then tables, then formulas."""
    parts = [part for kind in (CODE, TABLE, MATHS) if kind in kinds for part in _BY_KIND[kind]]
    parts += [_INLINE] if CODE in kinds else []
    return re.compile("|".join(parts) or r"(?!)", re.MULTILINE)


def spans(text: str, kinds: frozenset[str] = KINDS) -> Iterator[tuple[int, int]]:
    """Give the protected [start, end) ranges of a text, in order."""
    return (match.span() for match in pattern(kinds).finditer(text))


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


_OPENS = re.compile(OPENING)


def cut(texts: list[str], kinds: frozenset[str] = KINDS) -> Pieces:
    """Cut texts into free and protected pieces."""
    pieces = Pieces()
    for text in texts:
        found = list(spans(text, kinds)) if kinds and _OPENS.search(text) else []
        ends = [0, *(end for span in found for end in span), len(text)]
        segments = [text[start:end] for start, end in zip(ends[::2], ends[1::2], strict=True)]
        pieces.free += segments
        pieces.opens += [True, *[False] * len(found)]
        pieces.closes += [*[False] * len(found), True]
        pieces.kept.append([text[start:end] for start, end in found])
    return pieces
