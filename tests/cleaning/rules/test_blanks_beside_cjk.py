"""Blanks beside Chinese and Japanese, in three degrees."""

from __future__ import annotations

import pytest

from tests.support.cleaning import clean

RULE = "blanks_beside_cjk"
CHANGES = [
    ("marks", "好 ， 我们 。 走", "好，我们。走"),
    ("marks", "今天 天气 ！", "今天 天气！"),
    ("marks", "皮层。 CNN 使用", "皮层。CNN 使用"),
    ("marks", "Python （一种语言） 是", "Python（一种语言）是"),
    ("cjk", "今 天 天 气", "今天天气"),
    ("cjk", "こ れ は", "これは"),
    ("cjk", "好，　　他说", "好，他说"),
    ("cjk", "使用 Python 编程 语言", "使用 Python 编程语言"),
    ("all", "使用 Python 编程 3 个", "使用Python编程3个"),
]
KEEPS = [
    ("cjk", "# 标题\n- 项\n* 项\n1. 项\n> 引\n• 点\n- [ ] 任务"),
    ("all", "# 标题\n- 项\n* 项\n1. 项\n> 引\n• 点\n- [ ] 任务"),
    ("all", "- 《红楼梦》\n1. （一）\n## 【注】"),
    ("cjk", "　　段首缩进\n    代码 x"),
    ("cjk", "第一行  \n第二行\t列"),
    ("cjk", "姓名    年龄    性别"),
    ("cjk", "选（    ）和（ ）"),
    ("cjk", "English words, “quoted” text here"),
    ("all", "한국어 문장 입니다 and English"),
    ("cjk", "共 3 个 5 元"),
    ("all", "`今 天` $a=中 文$ ```\n好 的\n```"),
    ("marks", "白日之光 褪色的记忆"),
]


@pytest.mark.parametrize(("beside", "before", "after"), CHANGES)
def test_changes(beside: str, before: str, after: str) -> None:
    rule = {"rule": RULE, "beside": beside}
    assert clean(before, rule) == after
    assert clean(after, rule) == after


@pytest.mark.parametrize(("beside", "text"), KEEPS)
def test_keeps(beside: str, text: str) -> None:
    assert clean(text, {"rule": RULE, "beside": beside}) == text
