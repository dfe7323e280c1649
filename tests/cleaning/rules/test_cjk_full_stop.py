"""Plain full stops in Chinese."""

from __future__ import annotations

import pytest

from tests.support.cleaning import clean

CHANGES = [
    ("天气很好.我们走吧.", "天气很好。我们走吧。"),
    ("第一句．第二句．", "第一句。第二句。"),
    ("这是结尾.\n下一行", "这是结尾。\n下一行"),
    ("他说“好的.”就走了", "他说“好的。”就走了"),
    ("如下（见图）.\n", "如下（见图）。\n"),
    ("我用 Python 写程序. 然后运行. ", "我用 Python 写程序。 然后运行。 "),
]
KEEPS = [
    "3.14 和 1.苹果 2.香蕉",
    "一.概述\n二.方法\n（三）.结论\n第四.其他",
    "打开文件.txt 和例子.com",
    "等等...然后.....",
    "卡尔.马克思和迈克尔.乔丹",
    "The word is 你好. It means hello.",
    "For example, 说、话、语.\n- Be patient",
    "真的*吗? [注] a.b",  # the original makes 。 of these
    "使用方法.`code` 后面",
    "J.K.罗琳 e.g.中文 v1.版",
    "`好.的.` $a=中.文$",
    "한국어.입니다.",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_changes(before: str, after: str) -> None:
    assert clean(before, "cjk_full_stop") == after
    assert clean(after, "cjk_full_stop") == after


@pytest.mark.parametrize("text", KEEPS)
def test_keeps(text: str) -> None:
    assert clean(text, "cjk_full_stop") == text
