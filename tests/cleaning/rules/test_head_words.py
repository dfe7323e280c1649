"""A word of the frame goes whole, a word of the text stays."""

from __future__ import annotations

import pytest

from tests.support.cleaning import clean

RULE = "head_words"

CHANGES = [
    ("概述：番茄", "番茄"),
    ("概述\n番茄是", "番茄是"),
    ("【简介】番茄", "番茄"),
    ("简介 番茄是", "番茄是"),
    ("**摘要**\n内容", "内容"),
    ("内容简介：\n内容", "内容"),
]

KEEPS = ["自然语言处理", "概述了本文", "前言不搭后语", "简介是什么？", "然而", "摘要写作指南", "正文概述：番茄"]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_what_it_changes(before: str, after: str) -> None:
    assert clean(before, RULE) == after
    assert clean(after, RULE) == after


@pytest.mark.parametrize("text", KEEPS)
def test_what_it_leaves(text: str) -> None:
    assert clean(text, RULE) == text


def test_own_words() -> None:
    assert clean("导览：正文", {"rule": "head_words", "words": ["导览"]}) == "正文"
