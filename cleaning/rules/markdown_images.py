"""Pictures in Markdown: they go, with the link around them."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from cleaning.characters import of
from cleaning.lines import blank_between
from cleaning.protect import CODE, MATHS, TABLE
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

# An address may hold brackets in pairs, and may be a picture itself (`data:`), as long as it likes.
_PLACE = r"\((?:[^()\n]|\([^()\n]*+\))*+\)"
_IMAGE = rf"!\[(?:[^\[\]\n]|\[[^\[\]\n]{{0,200}}+\]){{0,1000}}+\](?:{_PLACE}|\[[^\[\]\n]{{0,100}}+\])"
_PATTERN = re.compile(rf"(?P<before>[ \t]?)(?:\[{_IMAGE}\]{_PLACE}|{_IMAGE})(?P<after>[ \t]?)")


class MarkdownImages(EditRule):
    """Removes `![text](address)`, `![text][name]` and pictures that are links."""

    protected: ClassVar[frozenset[str]] = frozenset({CODE, MATHS, TABLE})

    rule: Literal["markdown_images"] = "markdown_images"

    @property
    def trigger(self) -> Trigger:
        """How a picture begins."""
        return Trigger(pairs=((of("!"), of("[")),))

    def apply(self, segments: Segments) -> Edited:
        """Remove pictures, and one of the blanks on both sides of one."""
        texts, counts = [], []
        for text in segments.texts:
            text, count = _PATTERN.subn(blank_between, text) if "![" in text else (text, 0)
            texts.append(text)
            counts.append(count)
        return Edited(texts, counts)
