"""The title of a row, which stands beside its text, as the first line of the text."""

from __future__ import annotations

import re
from typing import Literal

from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.rules.field import text_of
from cleaning.trigger import Trigger

_BLANK_LINES = re.compile(r"\A(?:[ \t\u3000\u00a0]*+\n)++")


class TitleHeading(EditRule):
    """Puts `# title` before a document, unless it begins with its title already."""

    rule: Literal["title_heading"] = "title_heading"
    field: str = "title"
    """The key of the title."""

    @property
    def trigger(self) -> Trigger:
        """Any text: the title is not in it."""
        return Trigger(pattern="")

    def apply(self, segments: Segments) -> Edited:
        """Put the heading before each first segment."""
        texts, counts = list(segments.texts), [0] * len(segments.texts)
        for at, (text, opens) in enumerate(zip(segments.texts, segments.opens, strict=True)):
            title = text_of(segments.fields[segments.row[at]], self.field) if opens else ""
            if title and not begins_with(text, title):
                texts[at], counts[at] = f"# {title}\n\n{below(text)}", 1
        return Edited(texts, counts)


def below(text: str) -> str:
    """Return a text without the blank lines at its beginning."""
    return _BLANK_LINES.sub("", text)


def begins_with(text: str, title: str) -> bool:
    """Tell whether a text's first line is the title, as a heading or not."""
    first = text.lstrip().partition("\n")[0]
    return " ".join(first.lstrip("#").split()) == title
