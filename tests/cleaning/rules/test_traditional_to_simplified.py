"""Traditional to simplified, by phrases, and only what is Chinese and traditional."""

from __future__ import annotations

import pytest

from tests.support.cleaning import clean

RULE = "traditional_to_simplified"
CHANGES = [
    ("臺灣是一個美麗的島嶼。", "台湾是一个美丽的岛屿。"),
    ("頭髮與發展", "头发与发展"),
    ("乾隆皇帝說乾燥的衣服", "乾隆皇帝说干燥的衣服"),
    ("我們這裡有很多東西\n第二行也是繁體", "我们这里有很多东西\n第二行也是繁体"),
    ("著名的作家著書，後來當了皇后", "著名的作家著书，后来当了皇后"),
    ("使用 Python 語言來編寫程式，`print('語言')`。", "使用 Python 语言来编写程式，`print('語言')`。"),
]
KEEPS = [
    "名著与著名的乾隆，於先生",  # of GB 2312, so simplified texts have them
    "今天天气很好，我们去公园。",
    "“龙”字的繁体写法是这样的：笔画很多，写起来不容易，所以后来简化了，但港台地区至今仍写作“龍”。",
    "東京都知事選挙の結果が発表されました。",
    "The name 日本國 is written so in old books.",
    "堃、喆、镕、玥、彧",
    "`繁體` ```\n這是代碼\n```",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_changes(before: str, after: str) -> None:
    assert clean(before, RULE) == after
    assert clean(after, RULE) == after


@pytest.mark.parametrize("text", KEEPS)
def test_keeps(text: str) -> None:
    assert clean(text, RULE) == text


def test_japanese_is_converted_on_demand() -> None:
    assert clean("東の國", {"rule": RULE, "japanese": True}) == "东の国"


def test_any_share_converts_on_demand() -> None:
    text = "龙的繁体是“龍”，" + "其余都是简体字" * 5
    assert clean(text, {"rule": RULE, "least": 0.0}) == text.replace("龍", "龙")
