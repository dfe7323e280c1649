"""What encyclopaedias leave of references when their markup goes: page numbers and marks of footnotes."""

from __future__ import annotations

import re
from typing import Literal

from cleaning.characters import DIGITS, HAN, LETTERS, of
from cleaning.rules.base import Edited, EditRule, Segments, substitute
from cleaning.scan import Trigger

_PAGES = re.compile(
    r"(?:[ \t]*[|｜])?[ \t]*p(?<!\w.)p?[ \t]*=[ \t]*\d{1,5}(?:[ \t]*[-–—,，、][ \t]*\d{1,5}){0,8}[ \t]*[|｜]?"
)
# Behind the end of a word or sentence, not the index of an array nor the head of a list's line.
_MARK = (
    r"\[(?:\d{1,3}(?:[-–,，]\d{1,3})*|[a-z]|注 ?\d{1,3}|note \d{1,3}|"
    r"来源请求|需要引用|citation needed|失效链接|dead link)\]"
)
_FOOTNOTE = re.compile(
    rf"(?:[。，、；！？”’」』）》)\"一-鿿](?P<cjk>(?:{_MARK})+)"
    rf"|(?:[a-z]{{4}}|[.,;])(?P<latin>(?:{_MARK})+)(?=[\s.,;)]|\Z)(?! ?[=+*/\[(-]))"
)


class WikiReferences(EditRule):
    """Removes `pp=12–15`, and on request marks of footnotes such as `[1]` and `[来源请求]`."""

    rule: Literal["wiki_references"] = "wiki_references"
    footnotes: bool = False
    """Remove marks of footnotes behind words and sentences too."""

    @property
    def trigger(self) -> Trigger:
        """A page number, or a bracket behind text."""
        pages = ((of("p"), of("p= \t")),)
        if not self.footnotes:
            return Trigger(pairs=pages, pattern=r"p[ \t]*=[ \t]*[0-9]")
        marks = (of("["), DIGITS | LETTERS | HAN)
        return Trigger(pairs=(*pages, marks), pattern=r"p[ \t]*=[ \t]*[0-9]|\[[0-9a-z注来需失]")

    def apply(self, segments: Segments) -> Edited:
        """Remove them; what stands before a mark stays."""
        edited = substitute(segments.texts, (_PAGES, ""))
        if not self.footnotes:
            return edited
        marks = substitute(edited.texts, (_FOOTNOTE, _without_mark))
        return Edited(marks.texts, [one + other for one, other in zip(edited.counts, marks.counts, strict=True)])


def _without_mark(match: re.Match[str]) -> str:
    return match.group()[: -len(match["cjk"] or match["latin"])]
