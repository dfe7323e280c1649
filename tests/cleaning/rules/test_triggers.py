"""A text without a rule's trigger is not shown to the rule: so the rule must have nothing to do there."""

from __future__ import annotations

from typing import get_args

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaning.policy import rule_from
from cleaning.protect import cut
from cleaning.rules import Rule
from cleaning.rules.base import EditRule, Segments
from cleaning.scan import Scanner

EDITING = [kind.model_fields["rule"].default for kind in get_args(get_args(Rule)[0]) if issubclass(kind, EditRule)]

MARKS = "，。！？；：、.,!?;:()（）[]【】“”「」'\"<>&@#=*_-—…·~`$|/\\%+ \t\n\r\u3000\u00a0\u200b\ufffd"
WORDS = (
    "pp=1 参考文献 概述 微信 @name http://a.cn/b <b> &lt; a@b.cn 13800138000 点赞3 这裏說 😀 Ã© "
    "好。 ！！！！ ---- 转发抽奖 转载 ![a](b) 的的 知道了 ``` |---|"
)
PIECES = st.sampled_from([*MARKS, *"中文好的abZ019８Ａéα", *WORDS.split(), "Ok.\n", "@name "])


def triggered(rule: EditRule, text: str) -> bool:
    """Tell whether the scan, and where there is one the pattern, finds the trigger in a text."""
    trigger = rule.trigger
    if not Scanner([trigger]).scan([text]).signs[0]:
        return False
    return trigger.pattern is None or bool(pl.Series([text], dtype=pl.String).str.contains(trigger.pattern)[0])


@pytest.mark.parametrize("name", EDITING)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(PIECES, max_size=12).map("".join))
def test_without_its_trigger_a_rule_changes_nothing(name: str, text: str) -> None:
    rule = rule_from({"rule": name})
    assert isinstance(rule, EditRule)
    if triggered(rule, text):
        return
    pieces = cut([text], rule.protected)
    segments = Segments(
        pieces.free, pieces.opens, pieces.closes, [0] * len(pieces.free), [{"text": text}], ["user"] * len(pieces.free)
    )
    assert rule.apply(segments).texts == pieces.free
