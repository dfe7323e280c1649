"""Web addresses in a text: removed, or replaced by `<url>`; the text of a link stays."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar, Literal

from cleaning.characters import of
from cleaning.lines import blank_between
from cleaning.protect import CODE, MATHS, TABLE, URL_PATTERN
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

_TITLE = r"(?:[ \t]+(?:\"[^\"\n]{0,200}\"|'[^'\n]{0,200}'))?"
_LINK = re.compile(rf"(?:!\[|\[)(?P<text>[^\[\]\n]{{1,300}})\]\([ \t]*<?(?:{URL_PATTERN})[^()<>\s]*+>?{_TITLE}[ \t]*\)")
# Between the parentheses of a link an address goes on to their end, in any script.
# Brackets that hold nothing else go with their address, and so does one of the blanks on both sides.
_ADDRESS = re.compile(
    rf"(?P<before>[ \t]?)(?:\((?:{URL_PATTERN})\)|（(?:{URL_PATTERN})）|<(?:{URL_PATTERN})>|【(?:{URL_PATTERN})】"
    rf"|\[(?:{URL_PATTERN})\](?!\()|{URL_PATTERN})(?P<after>[ \t]?)"
)
_PLAIN = re.compile(rf"<(?:{URL_PATTERN})>|{URL_PATTERN}")
_SCHEME = re.compile(r"[hfw](?:ttps?://|tp://|ww\.)")


def _replaced(text: str, address: re.Pattern[str], by: Callable[[re.Match[str]], str]) -> tuple[str, int]:
    """Do what `address.subn` does, but try at schemes alone, with the bracket and the blank before them."""
    parts, end = [], 0
    for scheme in _SCHEME.finditer(text):
        start = scheme.start()
        if start < end:
            continue
        bracket = start - (start > end and text[start - 1] in "(（<【[")
        blank = bracket - (bracket > end and text[bracket - 1] in " \t")
        for at in dict.fromkeys((blank, bracket, start)):
            if match := address.match(text, at):
                parts += [text[end:at], by(match)]
                end = match.end()
                break
    return "".join([*parts, text[end:]]), len(parts) // 2


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
                    text, alone = _replaced(text, _ADDRESS, blank_between)
                else:
                    text, alone = _replaced(text, _PLAIN, lambda _: "<url>")
                count += alone
            texts.append(text)
            counts.append(count)
        return Edited(texts, counts)
