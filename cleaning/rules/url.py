"""Web addresses in a text: removed, or replaced by `<url>`; the text of a link stays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import ClassVar, Literal

from cleaning.lines import blank_between
from cleaning.protect import CODE, MATHS, TABLE, URL_PATTERN
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

_TITLE = r"(?:[ \t]+(?:\"[^\"\n]{0,200}\"|'[^'\n]{0,200}'))?"
# A blank that came into an address before a path or an anchor: known for one where a bracket holds nothing else.
_REST = r"(?:[ \t]{1,3}[/#?&][a-zA-Z0-9\-._~:/?#@!$&*+,;=%]{0,500}+)?"
_LINK = re.compile(
    rf"(?:!\[|\[)(?P<text>[^\[\]\n]{{1,300}})\]\([ \t]*<?(?:{URL_PATTERN})[^()<>\s]*+{_REST}>?{_TITLE}[ \t]*\)"
)
# Between the parentheses of a link an address goes on to their end, in any script.
# Brackets that hold nothing else go with their address, and so does one of the blanks on both sides.
_ADDRESS = re.compile(
    rf"(?P<before>[ \t]?)(?:\((?:{URL_PATTERN}){_REST}\)|（(?:{URL_PATTERN}){_REST}）|<(?:{URL_PATTERN}){_REST}>"
    rf"|【(?:{URL_PATTERN}){_REST}】|\[(?:{URL_PATTERN}){_REST}\](?!\()|{URL_PATTERN})(?P<after>[ \t]?)"
)
_PLAIN = re.compile(rf"<(?:{URL_PATTERN})>|{URL_PATTERN}")


def _starts(text: str) -> list[int]:
    """Return where schemes, or hosts by their usual name, begin; by fixed pieces, which are found soonest."""
    starts = list(_places(text, "www."))
    for at in _places(text, "://"):
        for scheme in ("https", "http", "ftp"):
            if text.endswith(scheme, 0, at):
                starts.append(at - len(scheme))
                break
    return sorted(starts)


def _places(text: str, piece: str) -> Iterator[int]:
    at = text.find(piece)
    while at >= 0:
        yield at
        at = text.find(piece, at + len(piece))


def _replaced(text: str, address: re.Pattern[str], by: Callable[[re.Match[str]], str]) -> tuple[str, int]:
    """Do what `address.subn` does, but try at schemes alone, with the bracket and the blank before them."""
    parts, end = [], 0
    for start in _starts(text):
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
        """The marks of a scheme, or a host's usual name."""
        return Trigger(literals=("http://", "https://", "ftp://", "www."))

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
