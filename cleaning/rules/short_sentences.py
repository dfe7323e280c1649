"""Sentences of a few characters: what is left of buttons, exclamations and page furniture."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import Field

from cleaning.characters import SPACES, of
from cleaning.protect import CODE, MATHS, QUOTE, TABLE, URL
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.sentences import CLOSERS, END
from cleaning.trigger import Trigger

_END = re.compile(END)
# A word and a full stop alone on a line: inside a line it may be an abbreviation or a number (`Mr.`, `1.`).
_ALONE = re.compile(r"^[ \t]*+[A-Za-z]{2,12}\.[ \t]*+$", re.MULTILINE)
_PAIRS = ("“”", "‘’", "「」", "『』", "（）", "()", "《》", "【】")


class ShortSentences(EditRule):
    """Drops sentences with fewer than `characters` characters; for documents, never for instructions.

    Sentences end at `。！？`, and at `!` and `?` as English uses them; one that ends with a full stop goes only where
    it stands alone on its line. Tails without an end stay (the original lost them, and emptied English), and so do
    quotations and what opens a bracket or quotation mark without closing it.
    """

    protected: ClassVar[frozenset[str]] = frozenset({CODE, MATHS, TABLE, URL, QUOTE})

    rule: Literal["short_sentences"] = "short_sentences"
    characters: int = Field(default=5, ge=2, le=12)
    """Shorter ones go, their end mark counted; the original's number."""

    @property
    def trigger(self) -> Trigger:
        """A sentence end soon after another or after a line's beginning; a word and a full stop alone on a line."""
        few, ends = self.characters - 1, "。！？!?…｡"
        return Trigger(
            characters=of(ends),
            pairs=((of("."), SPACES),),
            closes=of("."),
            pattern=rf"(?m)(?:^|[{ends}.{CLOSERS}])[^\S\n]*(?:[^\n\s][^\S\n]*){{0,{few}}}[{ends}]"
            rf"|^[ \t]*[A-Za-z]{{2,12}}\.[ \t]*$",
        )

    def apply(self, segments: Segments) -> Edited:
        """Drop the short ones that lie wholly in a segment."""
        texts, counts = [], []
        for text, opens, closes in zip(segments.texts, segments.opens, segments.closes, strict=True):
            edited, count = self._without(text, opens)
            if opens and closes:
                edited, alone = _ALONE.subn(lambda found: found[0] if self._long(found[0]) else "", edited)
                count += alone
            texts.append(edited)
            counts.append(count)
        return Edited(texts, counts)

    def _without(self, text: str, opens: bool) -> tuple[str, int]:
        """Drop short sentences; one that begins before the segment is not known whole."""
        kept, count, copied, start = [], 0, 0, 0
        for found in _END.finditer(text):
            start = max(start, text.rfind("\n", start, found.start()) + 1)
            sentence = text[start : found.end()]
            if (start > 0 or opens) and not self._long(sentence) and _balanced(sentence):
                kept.append(text[copied:start])
                copied, count = found.end(), count + 1
            start = found.end()
        return "".join((*kept, text[copied:])), count

    def _long(self, sentence: str) -> bool:
        return len(sentence.strip()) >= self.characters


def _balanced(sentence: str) -> bool:
    return all(sentence.count(pair[0]) == sentence.count(pair[1]) for pair in _PAIRS) and sentence.count('"') % 2 == 0
