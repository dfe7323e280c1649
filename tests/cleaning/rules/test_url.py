"""Addresses go where they end, and nothing of the text behind them."""

from __future__ import annotations

import pytest

from tests.support.cleaning import clean

RULE = "url"

CHANGES = [
    ("详见 https://www.example.com/a/1?x=2&y=b 。", "详见。"),
    ("看https://a.cn/x，好", "看，好"),
    ("see https://a.com/b(c) for it", "see for it"),
    ("Go to www.x.org, then read on.", "Go to, then read on."),
    ('[文档](https://a.com/x "t")和图', "文档和图"),
    ("![图](https://a.com/x.png)", "图"),
    ("（https://a.com）结束", "结束"),
    ("<https://a.com> end", "end"),
    ("ftp://a.b/c d", "d"),
    ("1. https://a.com\n2. https://b.com", "1.\n2."),
    ("“https://abc.com”是网址", "“”是网址"),
]

KEEPS = [
    "glowworm awww.b wwwx",
    "http is a protocol, so is ftp:",
    "`https://a.com` 与\n```\nhttps://a.com\n```",
    "| a | b |\n|---|---|\n| https://a.com | x |",
    "若 a:b//c",
    "文件 D:/data/x",
    "$https://a$b$",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_what_it_changes(before: str, after: str) -> None:
    assert clean(before, RULE) == after
    assert clean(after, RULE) == after


@pytest.mark.parametrize("text", KEEPS)
def test_what_it_leaves(text: str) -> None:
    assert clean(text, RULE) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("详见 https://www.example.com/a 。", "详见 <url> 。"),
        ('[文档](https://a.com/x "t")', '[文档](<url> "t")'),
        ("<https://a.com> end", "<url> end"),
        ("看https://a.cn/x。下文 English words stay", "看<url>。下文 English words stay"),
    ],
)
def test_replacing(before: str, after: str) -> None:
    rule = {"rule": "url", "action": "replace"}
    assert clean(before, rule) == after
    assert clean(after, rule) == after


def test_a_link_with_a_path_in_chinese_keeps_its_text() -> None:
    assert clean("见[链接](https://a.com/路径)。", "url") == "见链接。"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("福布斯(https://a.com/2018/better /#e45f355914f2)\n下文", "福布斯\n下文"),
        ("参见（https://a.com/x ?id=1&y=2）。", "参见。"),
        ("see <http://a.com/x #top> now", "see now"),
        ("[文档](https://a.com/x /#top)和图", "文档和图"),
        ("HTTPS is safe; ftp://a.b/c and www.a.org/x go", "HTTPS is safe; and go"),
    ],
)
def test_the_rest_of_an_address_behind_a_blank_goes_where_brackets_end_it(before: str, after: str) -> None:
    assert clean(before, "url") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("https://a.com /etc/hosts 是文件", "/etc/hosts 是文件"),
        ("https://a.com #YOLO", "#YOLO"),
        ("(https://a.com /etc and more)", "( /etc and more)"),
    ],
)
def test_what_stands_behind_an_address_without_brackets_stays(before: str, after: str) -> None:
    assert clean(before, "url") == after
