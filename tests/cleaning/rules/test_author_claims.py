"""Statements around a text go, what an author tells of himself stays."""

from __future__ import annotations

import pytest

from tests.support.cleaning import clean

RULE = "author_claims"

CHANGES = [
    ("作者声明本文无利益相关，欢迎值友理性交流，和谐讨论～\n正文", "正文"),
    ("创作立场声明：本文所测产品为自费购买。\n正文", "正文"),
    ("作者：张三\n正文", "正文"),
    ("文/李四 图/王五\n正文", "正文"),
    ("来源：新华网\n正文", "正文"),
    ("正文\n责任编辑：王五 赵六", "正文\n"),
    ("正文\n版权归原作者所有，如有侵权请联系删除", "正文\n"),
    ("正文\n未经授权禁止转载", "正文\n"),
]

KEEPS = [
    "我是一名工程师，写了十年代码。\n正文",
    "来源：这个词最早出现于《诗经》，后来演变为今义。",
    "来源：牛奶",
    "作者：鲁迅是中国现代文学的奠基人，他写了《呐喊》。",
    "翻译：你好",
    "文字：她在枕头底下找到了钥匙",
    "记者：请问您怎么看？",
    "任何未经授权的访问都是违法的。",
    "声明：变量必须先声明后使用",
    "编辑：请删除第三行，然后保存。",
    "```\n作者：张三\n```",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_what_it_changes(before: str, after: str) -> None:
    assert clean(before, RULE) == after
    assert clean(after, RULE) == after


@pytest.mark.parametrize("text", KEEPS)
def test_what_it_leaves(text: str) -> None:
    assert clean(text, RULE) == text


def test_bylines_stay_on_request() -> None:
    text = "作者：张三\n版权归原作者所有"
    assert clean(text, {"rule": "author_claims", "bylines": False}) == "作者：张三\n"
