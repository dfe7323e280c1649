"""Long rows of hyphens inside a line."""

from __future__ import annotations

import re
from typing import Literal

from cleaning.characters import of
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

# In this order: the banner of a key, an arrow or a corner, a line between labelled points (`A-----B-----C`); all these
# stay. What is left is a dash that got too long, unless its line is drawn: a rule, an underlined heading, the frame or
# the columns of a plain table.
_DASHES = re.compile(
    r"----(?:-(?:BEGIN|END) [^\n-]{1,60}-{5}"
    r"|(?:(?<=[+|<!]----)|(?<=-[a-zA-Z0-9]----))-*+"
    r"|-*+(?=[+|>]|[a-zA-Z0-9]-)"
    r"|(?P<dash>-*+))"
)
_FRAME = "-+|:=*_ \t>"


def _shorter(text: str) -> tuple[str, int]:
    lines, shortened = text.split("\n"), 0
    for at, line in enumerate(lines):
        if "----" in line and line.strip(_FRAME):
            lines[at], count = _DASHES.subn(lambda run: run.group() if run["dash"] is None else "---", line)
            shortened += count if lines[at] != line else 0
    return "\n".join(lines), shortened


class LongDashes(EditRule):
    """Shortens four or more hyphens to three; rules, headings, frames, arrows and key banners stay."""

    rule: Literal["long_dashes"] = "long_dashes"

    @property
    def trigger(self) -> Trigger:
        """Four in a row."""
        return Trigger(runs=((of("-"), 4),))

    def apply(self, segments: Segments) -> Edited:
        """Shorten each run."""
        edited = [_shorter(text) for text in segments.texts]
        return Edited([text for text, _ in edited], [count for _, count in edited])
