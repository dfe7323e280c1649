"""Sentences of a few characters."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.cleaning import clean

CHANGES = [
    ("好的。今天天气很好，我们去了公园。", "今天天气很好，我们去了公园。"),
    ("今天天气很好，我们去了公园。嗯！后面没有结束", "今天天气很好，我们去了公园。后面没有结束"),
    ("第一句话说得很长。是吗？第二句话也很长。", "第一句话说得很长。第二句话也很长。"),
    ("No! This is a long sentence. Ok? It goes on.", " This is a long sentence. Ok? It goes on."),
    ("Ok.\nThis is a long sentence here.", "\nThis is a long sentence here."),
    ("标题\n顶！\n正文的第一句话在这里。", "标题\n\n正文的第一句话在这里。"),
]

KEEPS = [
    "没有结束标点的尾巴",  # the original lost it
    "This is English. It has two sentences and a tail",  # the original emptied it
    "Mr. Smith met Dr. Wu at No. 5.",
    "1. 第一项的内容在这里。\n2. 第二项的内容在这里。",
    "if a != b and x ? y : z",
    "他说：“走！我们现在就出发吧。”然后离开了。",
    "“走！”他大声地说道。",
    "标题\n正文的第一句话在这里。",
    "```\nx!\n好。\n```",
    "（好！这是括号里的一句话。）",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_short_ones_go(before: str, after: str) -> None:
    assert clean(before, "short_sentences") == after


@pytest.mark.parametrize("text", KEEPS)
def test_all_else_stays(text: str) -> None:
    assert clean(text, "short_sentences") == text


def test_the_number_is_a_parameter() -> None:
    assert clean("今天很好。明天呢？", {"rule": "short_sentences", "characters": 3}) == "今天很好。明天呢？"
    assert clean("今天很好。明天呢？后面还有", {"rule": "short_sentences", "characters": 6}) == "后面还有"


PIECES = st.sampled_from([*'好啊a.。！？!? \n“”（）"', "今天天气", "word ", "……", "Ok."])


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.lists(PIECES, max_size=30).map("".join))
def test_twice_is_once(text: str) -> None:
    once = clean(text, "short_sentences")
    assert clean(once, "short_sentences") == once


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text("好啊，ab \n", max_size=60))
def test_text_without_an_end_is_left_alone(text: str) -> None:
    assert clean(text, "short_sentences") == text
