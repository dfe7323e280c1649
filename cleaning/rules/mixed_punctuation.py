"""Different sentence marks in a row, as typing errors leave them: `，。`, `：，`."""

from __future__ import annotations

import re
from typing import Literal

from cleaning.characters import of
from cleaning.rules.base import Edited, EditRule, Segments, substitute
from cleaning.trigger import Trigger

_CHINESE, _ASCII = "，。！？；：、", ",.!?;:"
_ASKING = frozenset("！？!?")
# A full stop in front may be that of an abbreviation or of a list number (`etc.，`, `1.、`): no run begins with one.
# Nor with a semicolon, which ends `&quot;`. Plain marks alone have too many good reasons (`Yahoo!, `, `a.m.:`), and a
# digit behind makes `：.5` a number.
_RUN = re.compile(rf"[{_CHINESE},!?][{_CHINESE}{_ASCII}]++(?![0-9])")


def _first(run: re.Match[str]) -> str:
    marks = run.group()
    kinds = set(marks)
    asked_for = marks[0] in "、：" and _ASKING.issuperset(marks[1:])  # `1、4、7、？`: what is to be found
    if len(kinds) == 1 or kinds <= _ASKING or kinds.isdisjoint(_CHINESE) or asked_for:
        return marks
    return marks[0]


class MixedPunctuation(EditRule):
    """Keeps the first of different marks in a row if one of them is Chinese; `？！` stays. In no shipped policy."""

    rule: Literal["mixed_punctuation"] = "mixed_punctuation"

    @property
    def trigger(self) -> Trigger:
        """Two marks in a row, one of them Chinese."""
        chinese, plain = of(_CHINESE), of(_ASCII)
        return Trigger(pairs=((chinese, chinese | plain), (plain, chinese)))

    def apply(self, segments: Segments) -> Edited:
        """Shorten each run."""
        return substitute(segments.texts, (_RUN, _first))
