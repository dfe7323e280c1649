"""Lines of counts go, numbers in sentences stay."""

from __future__ import annotations

import pytest

from tests.support.cleaning import clean

RULE = "platform_counts"

CHANGES = [
    ("正文。\n点赞 123 收藏 45 评论 6\n下一段", "正文。\n下一段"),
    ("正文在此。 阅读 10万+ 赞 12", "正文在此。"),
    ("12人赞同了该回答\n正文", "正文"),
    ("阅读量：1,234\n正文", "正文"),
    ("Text.\n12 likes · 3 comments\n", "Text.\n"),
    ("👍 点赞(12) | 评论(3)\n正文", "正文"),
]

KEEPS = [
    "他有3个苹果，得到12个赞",
    "I got 12 likes from my post yesterday.",
    "这条微博收获点赞 123 个，他很高兴。",
    "第3次评论会议",
    "阅读 3 本书，写 2 篇笔记。",
    "| 点赞 12 | 评论 3 |\n|---|---|\n| 1 | 2 |",
    "12 comments were left by readers",
    "`点赞 12`",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_what_it_changes(before: str, after: str) -> None:
    assert clean(before, RULE) == after
    assert clean(after, RULE) == after


@pytest.mark.parametrize("text", KEEPS)
def test_what_it_leaves(text: str) -> None:
    assert clean(text, RULE) == text
