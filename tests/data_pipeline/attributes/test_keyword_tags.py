"""Keyword tags: the shipped rules on plain cases in both languages, what a file of rules may hold, and the labels."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest

from data_pipeline.attributes.kinds.keyword_tags import KeywordTags
from data_pipeline.attributes.tags.rules import load_rules
from utils.errors import UserError

CASES = {
    "zh": {
        "用 Python 写一个函数,把列表倒过来": "code",
        "把下面的句子翻译成英语:今天下雨。": "translation",
        "计算 17 和 25 的平均值": "maths",
        "总结下面这篇文章": "summarisation",
        "写一首关于月亮的诗": "creative_writing",
        "给客户写一封道歉邮件": "practical_writing",
        "列出五种常见的蔬菜": "listing",
        "重写这个句子,使其更礼貌": "rewriting",
        "将以下动物分类为哺乳动物或鸟类": "classification",
        "比较猫和狗的异同": "comparison",
        "解释光合作用的原理": "explanation",
        "如何提高睡眠质量?": "advice",
        "你是一名导游,请介绍长城": "roleplay",
        "给这篇文章取个标题": "naming",
        "法国的首都是哪里?": "question_answering",
        "怎样盗取别人的密码": "harmful",
        "用“勇敢”这个词造句": "language",
        "从下面的段落中找出所有人名": "extraction",
        "将这些数字按升序排列": "data_handling",
        "完成以下句子:我最喜欢的": "completion",
    },
    "en": {
        "Write a Python function that reverses a list": "code",
        "Translate this sentence into French": "translation",
        "Calculate the area of a circle with radius 4": "maths",
        "Summarize the following article": "summarisation",
        "Write a haiku about the moon": "creative_writing",
        "Write an email to a customer to say sorry": "practical_writing",
        "List five common vegetables": "listing",
        "Rewrite the sentence so that it is polite": "rewriting",
        "Classify these animals as mammals or birds": "classification",
        "What is the difference between a cat and a lynx?": "comparison",
        "Explain how photosynthesis works": "explanation",
        "How can I sleep better?": "advice",
        "You are a tour guide. Tell us about Rome": "roleplay",
        "Suggest a headline for this": "naming",
        "Who painted the Mona Lisa?": "question_answering",
        "How to steal a password from a friend": "harmful",
        "Find a synonym for brave": "language",
        "Extract all names from the passage": "extraction",
        "Arrange these numbers in ascending order": "data_handling",
        "Fill in the blank: my favourite food is": "completion",
    },
}


def rows_of(texts: list[tuple[str, str]], lang: str) -> pl.DataFrame:
    messages = [[{"role": "user", "content": q}, {"role": "assistant", "content": a}] for q, a in texts]
    return pl.DataFrame({"id": [str(n) for n in range(len(texts))], "lang": [lang] * len(texts), "messages": messages})


def tags(texts: list[tuple[str, str]], lang: str = "zh", **keys: object) -> list[list[str]]:
    table = KeywordTags(**keys).measure(rows_of(texts, lang), {}, 1)
    return table["tags"].to_pylist()


@pytest.mark.parametrize("lang", CASES)
def test_plain_cases(lang: str) -> None:
    found = tags([(text, "…") for text in CASES[lang]], lang)
    missed = {text: got for (text, tag), got in zip(CASES[lang].items(), found, strict=True) if tag not in got}
    assert not missed


def test_the_shipped_files_name_the_same_tags() -> None:
    assert set(load_rules("zh").tags) == set(load_rules("en").tags)


def test_labels_are_tags_of_the_shipped_rules(root: Path) -> None:
    with (root / "tests/review/tags_zh.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len({row["clean_id"] for row in rows}) == 200
    assert {tag for row in rows for tag in row["tags"].split()} <= set(load_rules("zh").tags)


def test_material_behind_the_first_line_is_not_the_instruction() -> None:
    assert tags([("总结下面的文字\n写一首诗是翻译的一种。", "…")]) == [["summarisation"]]


def test_a_question_on_how_to_prevent_harm_is_none() -> None:
    assert "harmful" not in tags([("如何防止别人盗取我的密码?", "使用强密码。")])[0]


def test_alone_and_the_main_tag_is_the_first() -> None:
    table = KeywordTags().measure(rows_of([("写一篇文章,教人如何诈骗", "抱歉"), ("嗯", "啊")], "zh"), {}, 1)
    assert table.to_pylist() == [
        {"id": "0", "tag": "harmful", "tags": ["harmful"]},
        {"id": "1", "tag": None, "tags": []},
    ]


def test_rules_speak_for_their_language_only() -> None:
    assert tags([("Write a poem", "…")], "zh", rules=["en"]) == [[]]
    assert tags([("Write a poem", "…")], "other") == [[]]


def test_rules_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "tags.yaml"
    file.write_text(
        "tags:\n  greeting:\n    prompt: ['^hello', ^你好]\n    unless: [bot]\n  python:\n    answer: ['\\bdef ']\n"
    )
    texts = [("HELLO there", "def f"), ("你好", ""), ("hello bot", "undef x"), ("oh hello", "a def b")]
    assert tags(texts, "other", rules=[str(file)]) == [["greeting", "python"], ["greeting"], [], ["python"]]


def test_bad_rules_are_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "tags.yaml"
    file.write_text("tags:\n  one:\n    prompt: ['(?=ahead)']\n")
    with pytest.raises(UserError, match="no regular expression"):
        KeywordTags(rules=[str(file)])
    with pytest.raises(UserError, match=r"no tag rules 'fr'.*one of: en, zh"):
        KeywordTags(rules=["fr"])
