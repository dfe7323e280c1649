"""Texts without punctuation."""

from __future__ import annotations

import pytest

from tests.support.cleaning import batch_of, measured

WORDS = "首页 新闻 体育 财经 娱乐 汽车 房产 教育 科技 健康 旅游 "
ENGLISH = "home news sport finance travel health science culture weather video "


@pytest.mark.parametrize(
    "text",
    [WORDS * 10, "没有标点的一大段文字" * 30, ENGLISH * 10, WORDS * 40 + "。", "标签，标签，" * 40],
)
def test_menus_are_dropped(text: str) -> None:
    value, drop = measured(text, "sentence_marks")
    assert drop
    assert value < 2


@pytest.mark.parametrize(
    "text",
    [
        "今天天气很好。" * 20,
        "The weather is fine today. " * 20,
        "短标题",
        "一段比较长的文字，" * 20 + "到这里结束。",
        "```\n" + "x = y\n" * 40 + "```",
        "def f(a, b):\n    return a + b\n\n" * 6,  # code without a fence
        "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 40,
        "これは日本語の文章です" * 20,
        "",
    ],
)
def test_prose_short_texts_code_and_tables_stay(text: str) -> None:
    assert not measured(text, "sentence_marks")[1]


def test_thresholds_are_parameters_and_questions_are_not_measured() -> None:
    text = "一段比较长的文字，" * 20 + "到这里结束。"
    assert measured(text, {"rule": "sentence_marks", "zh": 10})[1]
    assert not measured(WORDS * 10, {"rule": "sentence_marks", "zh": 0})[1]
    assert not measured(WORDS, {"rule": "sentence_marks", "characters": 60})[1]
    row = {"instruction": WORDS * 10, "input": "", "output": "好。"}
    assert batch_of([row], "alpaca", "sentence_marks").values["drop"].to_list() == [False]
