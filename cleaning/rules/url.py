"""Web addresses in a text: removed, or replaced by `<url>`; the text of a link stays."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from cleaning.characters import of
from cleaning.lines import blank_between
from cleaning.protect import CODE, MATHS, TABLE, URL_PATTERN
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.scan import Trigger

_TITLE = r"(?:[ \t]+(?:\"[^\"\n]{0,200}\"|'[^'\n]{0,200}'))?"
_LINK = re.compile(rf"!?\[(?P<text>[^\[\]\n]{{1,300}})\]\([ \t]*<?(?:{URL_PATTERN})>?{_TITLE}[ \t]*\)")
# Brackets that hold nothing else go with their address, and so does one of the blanks on both sides.
_ADDRESS = re.compile(
    rf"(?P<before>[ \t]?)(?:\((?:{URL_PATTERN})\)|（(?:{URL_PATTERN})）|<(?:{URL_PATTERN})>|【(?:{URL_PATTERN})】"
    rf"|\[(?:{URL_PATTERN})\](?!\()|{URL_PATTERN})(?P<after>[ \t]?)"
)
_PLAIN = re.compile(rf"<(?:{URL_PATTERN})>|{URL_PATTERN}")


class Url(EditRule):
    """Removes addresses, or replaces them; a Markdown link becomes its text, or keeps it."""

    protected: ClassVar[frozenset[str]] = frozenset({CODE, MATHS, TABLE})

    rule: Literal["url"] = "url"
    action: Literal["remove", "replace"] = "remove"
    """What becomes of an address: nothing, or `<url>`."""

    @property
    def trigger(self) -> Trigger:
        """The marks of a scheme, or of a host's usual name."""
        return Trigger(pairs=((of(":"), of("/")), (of("w"), of("."))), pattern=r"(?:https?|ftp)://|www\.")

    def apply(self, segments: Segments) -> Edited:
        """Edit links first, then addresses that stand alone."""
        texts, counts = [], []
        for text in segments.texts:
            count = 0
            if "://" in text or "www." in text:
                if self.action == "remove":
                    text, count = _LINK.subn(r"\g<text>", text) if "](" in text else (text, 0)
                    text, alone = _ADDRESS.subn(blank_between, text)
                else:
                    text, alone = _PLAIN.subn("<url>", text)
                count += alone
            texts.append(text)
            counts.append(count)
        return Edited(texts, counts)
