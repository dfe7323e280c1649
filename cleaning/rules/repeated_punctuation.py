"""One and the same sentence mark again and again: `！！！！！！`, `。。。。。。。`."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field

from cleaning.characters import of
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

# Not in here: marks that draw lines, fences and blanks to fill in (- = _ * # ~ — ·), and those of code and empty
# cells (, ; : /).
_MARKS = "。．｡！？，、；：…⋯～.!?"
_RUN = re.compile(rf"([{_MARKS}])\1{{3,}}+")
# A Chinese ellipsis has six dots: two characters, or six plain dots.
_MORSE = ("", " ", "\n", "-", "/")
_ELLIPSES = {"…": 2, "⋯": 2, ".": 3, "。": 3}

# A line of a drawing has marks to draw with and hardly a letter.
_LONGEST_LINE = 200
_DRAWN = re.compile(r"[|+#*=_/\\<>^@\[\]─-▟■-◿-]")
_LETTERS = re.compile(r"[^\W_]")
_MOST_LETTERS = 0.25
# ASCII that assigns, compares, calls, or ends as a statement does, without four words in a row outside quotes.
_SIGNS = re.compile("[=;{}(>]")
_CODE = re.compile(r"\w ?[-+*/:]?= ?[^\s=]|[=!<>]=|=>|->|\w\(|[;{}]\s*+\Z")
_IN_QUOTES = re.compile(r""""[^"]*+"|'[^']*+'""")
_PROSE = re.compile(r"(?<![a-zA-Z])[a-zA-Z']{2,20}+(?:,? [a-zA-Z']{2,20}+){3}(?![a-zA-Z'])")


class RepeatedPunctuation(EditRule):
    """Shortens runs of four or more of one sentence mark; `...`, `……`, six dots, `——`, `==` and `//` stay."""

    rule: Literal["repeated_punctuation"] = "repeated_punctuation"
    most: int = Field(default=3, ge=1, le=3)
    """What is left of a run; of dots an ellipsis is left."""

    @property
    def trigger(self) -> Trigger:
        """Four in a row."""
        return Trigger(runs=((of(_MARKS), 4),))

    def apply(self, segments: Segments) -> Edited:
        """Shorten each run."""
        texts, counts = [], []
        for text in segments.texts:
            shorter, count = _RUN.subn(self._shorter, text)
            texts.append(shorter)
            counts.append(count if shorter != text else 0)
        return Edited(texts, counts)

    def _shorter(self, run: re.Match[str]) -> str:
        mark, text = run[1], run.string
        if mark == "." and (len(run.group()) == 6 or text[run.start() - 1 : run.start()] in _MORSE):
            return run.group()
        return run.group() if _is_drawn(run) else mark * _ELLIPSES.get(mark, self.most)


def _is_drawn(run: re.Match[str]) -> bool:
    """Tell whether a run stands in a line of a drawing, of a board of dots, or of code without a fence."""
    if not run[1].isascii():
        return False
    text = run.string
    start = text.rfind("\n", max(0, run.start() - _LONGEST_LINE), run.start()) + 1
    end = text.find("\n", run.end(), run.end() + _LONGEST_LINE)
    end = len(text) if end < 0 else end
    if end - start > _LONGEST_LINE:
        return False
    line = text[start:end]
    return _is_drawing(line) or _is_code(line) or (run[1] == "." and _on_board(text, start, end))


def _is_code(line: str) -> bool:
    if not line.isascii() or not _SIGNS.search(line):
        return False
    return _CODE.search(line) is not None and not _PROSE.search(_IN_QUOTES.sub('""', line))


def _on_board(text: str, start: int, end: int) -> bool:
    """Tell whether a line beside [start, end) is as long and has as many dots as marks."""
    size = end - start
    above, below = text[max(0, start - size - 2) : max(0, start - 1)], text[end + 1 : end + size + 2]
    nears = ("\n" + above).rpartition("\n")[2], below.partition("\n")[0]
    return any(len(near) == size and 2 * near.count(".") >= size for near in nears)


def _is_drawing(line: str) -> bool:
    return _DRAWN.search(line) is not None and len(_LETTERS.findall(line)) <= _MOST_LETTERS * len(line)
