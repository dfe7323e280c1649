"""Calls to take part in a draw go, draws of mathematics stay."""

from __future__ import annotations

import pytest

from tests.support.cleaning import clean

RULE = "lottery"

CHANGES = [
    ("好物分享。转发评论抽3位送口红！下面是测评。", "好物分享。下面是测评。"),
    ("评论区抽一位小伙伴送书。", ""),
    ("恭喜以下中奖的粉丝：小明、小红。正文", "正文"),
    ("正文。关注并转发本文，抽奖送手机。", "正文。"),
    ("正文\n中奖名单：@a @b\n再见", "正文\n\n再见"),
    ("正文！抽5名粉丝送面膜！再见", "正文！再见"),
]

KEEPS = [
    "从箱子里抽取3个球的概率是多少？",
    "抽奖活动的期望怎么算？",
    "他抽了一支烟，又抽出两张纸。",
    "恭喜你获奖！请继续努力。",
    "样本从人群中随机抽取100人，收集评论。",
    "彩票中奖概率是百万分之一。",
    "`转发抽3位`",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_what_it_changes(before: str, after: str) -> None:
    assert clean(before, RULE) == after
    assert clean(after, RULE) == after


@pytest.mark.parametrize("text", KEEPS)
def test_what_it_leaves(text: str) -> None:
    assert clean(text, RULE) == text
