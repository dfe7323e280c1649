"""Long rows of hyphens inside a line."""

from __future__ import annotations

import re
from typing import Literal

from cleaning.characters import of
from cleaning.rules.base import Edited, EditRule, Segments, substitute
from cleaning.scan import Trigger

# In this order: a line that is drawn (a rule, an underlined heading, the frame or the columns of a plain table), the
# banner of a key, an arrow or a corner, a line between labelled points (`A-----B-----C`); all these stay. What is left
# is a dash that got too long.
_DASHES = re.compile(
    r"^[-+|:=*_ \t>]{4,}+$"
    r"|-{5}(?:BEGIN|END) [^\n-]{1,60}-{5}"
    r"|----(?<=[+|<!]----)-*+|----(?<=-[a-zA-Z0-9]----)-*+"
    r"|-{4,}+(?=[+|>]|[a-zA-Z0-9]-)"
    r"|(?P<dash>-{4,}+)",
    re.MULTILINE,
)


class LongDashes(EditRule):
    """Shortens four or more hyphens to three; rules, headings, frames, arrows and key banners stay."""

    rule: Literal["long_dashes"] = "long_dashes"

    @property
    def trigger(self) -> Trigger:
        """Four in a row."""
        return Trigger(runs=((of("-"), 4),))

    def apply(self, segments: Segments) -> Edited:
        """Shorten each run."""
        return substitute(segments.texts, (_DASHES, lambda run: "---" if run["dash"] else run.group()))
