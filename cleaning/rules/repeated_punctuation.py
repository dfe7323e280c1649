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
        return mark * _ELLIPSES.get(mark, self.most)
