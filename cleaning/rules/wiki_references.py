"""What encyclopaedias leave of references when their markup goes: page numbers and marks of footnotes."""

from __future__ import annotations

import re
from typing import Literal

from cleaning.characters import DIGITS, HAN, LETTERS, of
from cleaning.rules.base import Edited, EditRule, Segments, substitute
from cleaning.trigger import Trigger

_PAGES = re.compile(
    r"[|｜]?[ \t]?p(?<!\w.)p[ \t]{0,3}=[ \t]{0,3}\d{1,5}(?:[ \t]?[-–—,，、][ \t]?\d{1,5}){0,8}(?:[ \t]?[|｜])?"
)
# Of numbers only those that stand behind a mark of punctuation, or between a Han character and another or a mark:
# the index of an array stands behind a name, and code is not always fenced.
_NUMBER = r"\[[1-9]\d{0,2}(?:[-–,，][1-9]\d{0,2})*\]"
_NAMED = r"\[(?:注 ?\d{1,3}|note \d{1,3}|来源请求|需要引用|citation needed|失效链接|dead link)\]"
_FOOTNOTE = re.compile(
    rf"(?:{_NAMED})+|(?<=[。，、；！？”’」』》.,;])(?:{_NUMBER})+(?=[\s一-鿿“「《]|\Z)"
    rf"|(?<=[一-鿿）])(?:{_NUMBER})+(?=[，。；、！？一-鿿])"
)


class WikiReferences(EditRule):
    """Removes `pp=12–15`, and on request marks of footnotes such as `[1]` and `[来源请求]`."""

    rule: Literal["wiki_references"] = "wiki_references"
    footnotes: bool = False
    """Remove marks of footnotes behind words and sentences too."""

    @property
    def trigger(self) -> Trigger:
        """A page number, or a bracket behind text."""
        pages = ((of("p"), of("p")),)
        if not self.footnotes:
            return Trigger(pairs=pages, pattern=r"pp[ \t]*=[ \t]*[0-9]")
        marks = (of("["), DIGITS | LETTERS | HAN)
        return Trigger(pairs=(*pages, marks), pattern=r"pp[ \t]*=[ \t]*[0-9]|\[[0-9a-z注来需失]")

    def apply(self, segments: Segments) -> Edited:
        """Remove them."""
        edited = substitute(segments.texts, (_PAGES, ""))
        if not self.footnotes:
            return edited
        marks = substitute(edited.texts, (_FOOTNOTE, ""))
        return Edited(marks.texts, [one + other for one, other in zip(edited.counts, marks.counts, strict=True)])
