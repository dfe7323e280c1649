"""Whole lines out of free segments: what rules against lines of a page's frame share."""

from __future__ import annotations

import re

from cleaning.rules.base import Edited, Segments


def without_lines(segments: Segments, *patterns: re.Pattern[str]) -> Edited:
    """Remove what expressions find; only whole lines of a segment are searched.

    The first line of a segment behind something protected, and the last before it, are no whole lines.
    """
    texts, counts = [], []
    for text, opens, closes in zip(segments.texts, segments.opens, segments.closes, strict=True):
        start = 0 if opens else text.find("\n") + 1 or len(text)
        end = max(start, len(text) if closes else text.rfind("\n") + 1)
        middle, count = text[start:end], 0
        for pattern in patterns:
            middle, more = pattern.subn("", middle)
            count += more
        texts.append(text[:start] + middle + text[end:] if count else text)
        counts.append(count)
    return Edited(texts, counts)


def blank_between(match: re.Match[str]) -> str:
    """Return the one blank that is left where something goes: none at the ends of a line and before a mark.

    The match has groups `before` and `after`, each a blank or nothing.
    """
    previous = match.string[match.start() - 1 : match.start()]
    following = match.string[match.end() : match.end() + 1]
    at_edge = previous in ("", "\n") or following in ("", "\n")
    return "" if at_edge or following in "。，；！？、）.,;!?)" else match["before"] or match["after"]
