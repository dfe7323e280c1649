"""A last sentence that breaks off: texts are cut to length by those who collect them."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import Field

from cleaning.protect import CODE, MATHS, QUOTE, TABLE, URL
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.sentences import END_OR_STOP, ENDING, LAST
from cleaning.trigger import Trigger

_END = re.compile(END_OR_STOP)
# Items, headings, table rows, quoted lines: lines that need no end.
_NO_SENTENCE = re.compile(r"[ \t]*+(?:[-*+•·#|>]|\(?[0-9a-zA-Z]{1,3}[.)、）]|[（(]?[一二三四五六七八九十]{1,3}[）)、])")
_NEAR = 120
_EVERY_CLASS = frozenset(range(256))


class LastSentence(EditRule):
    """Cuts a text back to its last sentence that has an end; for documents.

    Chinese sentences end at `。！？…`, others also at a full stop; closing marks behind it belong to them. The last
    line alone is cut, or goes whole where the line before has an end; items, headings and rows of tables stay, and so
    does a last line behind code, an address or a quotation, of which nobody knows where it began. The original took
    the last item off every list.
    """

    protected: ClassVar[frozenset[str]] = frozenset({CODE, MATHS, TABLE, URL, QUOTE})

    rule: Literal["last_sentence"] = "last_sentence"
    at_most: float = Field(default=0.9, gt=0, le=1)
    """The largest share of a text that is cut off; beyond it, the text has another way with sentences."""

    @property
    def trigger(self) -> Trigger:
        """A last character, blanks apart, that ends nothing."""
        return Trigger(closes=_EVERY_CLASS - ENDING, pattern=rf"[^\s{re.escape(LAST)}]\s*\z")

    def apply(self, segments: Segments) -> Edited:
        """Cut the last segment of each text."""
        texts, counts = list(segments.texts), [0] * len(segments.texts)
        size = 0
        for at, (text, opens, closes) in enumerate(zip(segments.texts, segments.opens, segments.closes, strict=True)):
            size = len(text) if opens else size + len(text)
            if closes:
                texts[at] = self._cut(text, size)
                counts[at] = int(texts[at] != text)
        return Edited(texts, counts)

    def _cut(self, text: str, size: int) -> str:
        """Return the last segment of a text of `size` characters up to its last sentence end, or as it is."""
        whole = text.rstrip()
        if whole[-1:] in LAST:
            return text
        start = whole.rfind("\n") + 1
        end = _last_end(whole, start)
        if _NO_SENTENCE.match(whole, start):
            return text
        if end < 0:
            before = whole[:start].rstrip()
            if not before or _last_end(before, before.rfind("\n") + 1) != len(before):
                return text
            end = len(before)
        cut = whole[:end]
        return cut if len(text) - len(cut) <= self.at_most * size else text


def _last_end(text: str, start: int) -> int:
    """Return where the last sentence end at or after `start` ends; -1 when there is none.

    Looked for in the last characters first: most sentences end near.
    """
    for begin in (max(start, len(text) - _NEAR), start):
        ends = [found.end() for found in _END.finditer(text, begin)]
        if ends:
            return ends[-1]
    return -1
