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


@pytest.mark.parametrize(
    "text",
    [
        "床前明月光\n疑是地上霜\n举头望明月\n低头思故乡\n" + "白日依山尽\n黄河入海流\n欲穷千里目\n更上一层楼\n"
        "红豆生南国\n春来发几枝\n愿君多采撷\n此物最相思\n千山鸟飞绝\n万径人踪灭",
        "The city skyline stands so strong\nThrough the night its sky is long\nThe stars light up its ivory walls\n"
        "And fill the dark with distant calls",
        "- Limited access to land\n- Poor infrastructure\n- Limited access to markets\n- Climatic variability",
        "能够推出的是：\nA.某省旅游饭店接待的游客超过旅馆的三倍\nB.某省的入境游客多于出境游客\nC.该月的人次高于平均\nD.境外游客的消费"
        "增长高于境内游客",
        "1、准备食材与工具\n2、清洗并切成小块\n3、热锅冷油放入葱姜\n4、翻炒至断生后出锅装盘\n5、撒上葱花与胡椒\n6、趁热端上桌来"
        "\n7、洗净锅具放回原处",
    ],
)
def test_verse_and_lists_stay(text: str) -> None:
    value, drop = measured(text, "sentence_marks")
    assert value < 2  # poor in marks, and kept for its lines
    assert not drop


@pytest.mark.parametrize(
    "text",
    [
        "\n".join((WORDS * 4).split()),
        "\n".join((ENGLISH * 4).split()),
        "免费下载最新版软件\n" * 12,
        WORDS + "\n" + WORDS * 9,
    ],
)
def test_menus_in_lines_and_repeated_lines_are_dropped(text: str) -> None:
    assert measured(text, "sentence_marks")[1]
