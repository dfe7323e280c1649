"""The head and the tail of an e-text: title pages, licences, notes of those who typed it, and what comes after."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from cleaning.protect import CODE, MATHS, QUOTE, TABLE, URL
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.sentences import END_OR_STOP
from cleaning.trigger import Trigger

_BORDER = re.compile(rf"{END_OR_STOP}|\n")
_END = re.compile(END_OR_STOP)


class HeadTailCut(EditRule):
    """Cuts a share of a long text off at its head and at its tail, to the next sentence border.

    The original cut 4,096 characters at the head and 1,024 at the tail of whatever was long enough to enter, and left
    nothing of short texts; here these are bounds, the share decides, and a text never gets shorter than `keep`. Of
    quotations, code, formulas, tables and addresses nothing is cut, so a cut ends before the first of them; for plain
    books, `protect: false`. A cut is a cut: done twice, it takes twice. No other rule of ours is like that.
    """

    protected: ClassVar[frozenset[str]] = frozenset({CODE, MATHS, TABLE, URL, QUOTE})

    rule: Literal["head_tail_cut"] = "head_tail_cut"
    head: float = Field(default=0.02, ge=0, lt=0.5)
    """The share cut at the head."""
    tail: float = Field(default=0.005, ge=0, lt=0.5)
    """The share cut at the tail."""
    head_at_most: int = Field(default=4096, ge=0)
    """Never more characters than this at the head, but for the rest of a sentence."""
    tail_at_most: int = Field(default=1024, ge=0)
    """The same at the tail."""
    to_terminator: bool = False
    """Instead of shares: drop up to the first sentence end or line end, and after the last sentence end."""
    keep: int = Field(default=2048, ge=1)
    """Texts that would be left with fewer characters are not cut."""

    @model_validator(mode="after")
    def _cuts_something(self) -> HeadTailCut:
        if not (self.head or self.tail or self.to_terminator):
            raise ValueError("head and tail are both 0")
        return self

    @property
    def trigger(self) -> Trigger:
        """A text long enough to be cut."""
        return Trigger(pattern=rf"(?s).{{{min(self.keep, 900)}}}")

    def apply(self, segments: Segments) -> Edited:
        """Cut the first and the last segment of each text that stays long enough."""
        texts, counts = list(segments.texts), [0] * len(segments.texts)
        first = 0
        for at, closes in enumerate(segments.closes):
            first = at if segments.opens[at] else first
            if closes:
                size = sum(map(len, segments.texts[first : at + 1]))
                self._cut(texts, counts, first, at, size)
        return Edited(texts, counts)

    def _cut(self, texts: list[str], counts: list[int], first: int, last: int, size: int) -> None:
        """Cut one text, the segments from `first` to `last`, of `size` characters together."""
        start = self._head_end(texts[first], size)
        tail = texts[last]
        end = self._tail_start(tail, size)
        removed = start + len(tail) - end
        if removed == 0 or size - removed < self.keep or (first == last and end <= start):
            return
        if first == last:
            texts[first] = tail[start:end]
        else:
            texts[first], texts[last] = texts[first][start:], tail[:end]
        counts[first] += start > 0
        counts[last] += end < len(tail)

    def _head_end(self, text: str, size: int) -> int:
        """Return where what is left begins: behind the first border at or after the share."""
        share = min(int(self.head * size), self.head_at_most)
        if not (share or self.to_terminator):
            return 0
        found = _BORDER.search(text, 0 if self.to_terminator else share - 1)
        return _skip_blanks(text, found.end()) if found else 0

    def _tail_start(self, text: str, size: int) -> int:
        """Return where what is left ends: behind the last sentence end at or before the share."""
        share = 0 if self.to_terminator else min(int(self.tail * size), self.tail_at_most)
        if not (share or self.to_terminator):
            return len(text)
        ends = [found.end() for found in _END.finditer(text[: len(text) - share])]
        return ends[-1] if ends else len(text)


def _skip_blanks(text: str, at: int) -> int:
    return len(text) - len(text[at:].lstrip())
