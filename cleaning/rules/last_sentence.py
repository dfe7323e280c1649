"""A last sentence that breaks off: texts are cut to length by those who collect them."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import Field

from cleaning.protect import CODE, MATHS, QUOTE, TABLE, URL
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.scan import Trigger
from cleaning.sentences import END_OR_STOP, ENDING

_END = re.compile(END_OR_STOP)
_ENDED = re.compile(rf"{END_OR_STOP}\Z")
# Items, headings, table rows, quoted lines: lines that need no end.
_NO_SENTENCE = re.compile(r"[ \t]*+(?:[-*+•·#|>]|\(?[0-9a-zA-Z]{1,3}[.)、）]|[（(]?[一二三四五六七八九十]{1,3}[）)、])")
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
        """A last character that ends no sentence, and a sentence end before it."""
        return Trigger(closes=_EVERY_CLASS - ENDING, pattern=r"[。！？!?.…｡]")

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
        start = whole.rfind("\n") + 1
        line = whole[start:]
        if _ENDED.search(line) or _NO_SENTENCE.match(line):
            return text
        ends = [found.end() for found in _END.finditer(line)]
        if ends:
            cut = whole[: start + ends[-1]]
        elif _ENDED.search(before := whole[:start].rstrip()):
            cut = before
        else:
            return text
        return cut if len(text) - len(cut) <= self.at_most * size else text
