"""A last sentence that breaks off."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.cleaning import clean

CHANGES = [
    ("今天天气很好。我们去了公园，然后", "今天天气很好。"),
    ("It was a fine day. We went to the park and then", "It was a fine day."),
    ("第一段说完了。\n第二段刚刚开", "第一段说完了。"),
    ("他问：“去吗？”她点了点头。后来他们", "他问：“去吗？”她点了点头。"),
    ('She said "yes!" and left. Later that', 'She said "yes!" and left.'),
    ("价格是 3.5 元。比去年高了 0.2 个百分", "价格是 3.5 元。"),
    ("(It ended well.) Nobody knew that the", "(It ended well.)"),
]

KEEPS = [
    "今天天气很好。",
    "It was a fine day.",
    "“我们走吧。”",
    "水果：\n- 苹果\n- 香蕉",  # the original took the last item off
    "步骤如下。\n1. 打开盖子\n2. 按下按钮",
    "没有任何结束标点的一段文字",
    "说明如下。\n```python\nprint(1)\n```",
    "结果见下表。\n| a | b |\n|---|---|\n| 1 | 2 |",
    "他最后说了一句。“我们还没有说完",
    "The result is 3.14159",
    "见 https://example.com/a.html",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_it_is_cut_back(before: str, after: str) -> None:
    assert clean(before, "last_sentence") == after


@pytest.mark.parametrize("text", [text for text in KEEPS if "还没有说完" not in text])
def test_ends_lists_and_code_stay(text: str) -> None:
    assert clean(text, "last_sentence") == text


def test_a_quotation_is_not_entered() -> None:
    text = "他走了。墙上写着“禁止吸烟。请勿”"
    assert clean(text, "last_sentence") == text


def test_a_text_is_not_cut_to_a_small_rest() -> None:
    text = "好。" + "这句话没有结束但是很长" * 5
    assert clean(text, "last_sentence") == text
    assert clean(text, {"rule": "last_sentence", "at_most": 1}) == "好。"


PIECES = st.sampled_from([*'好啊a.。！？!? \n“”"-1`', "今天天气", "word ", "……", "- ", "3.5"])


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.lists(PIECES, max_size=30).map("".join))
def test_twice_is_once_and_what_stays_is_the_beginning(text: str) -> None:
    rule = {"rule": "last_sentence", "at_most": 1}
    once = clean(text, rule)
    assert text.startswith(once)
    assert clean(once, rule) == once
