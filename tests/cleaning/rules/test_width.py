"""Full-width letters and digits, numbers in circles."""

from __future__ import annotations

import pytest

from tests.support.cleaning import clean

CHANGES = [
    ("ＡＢＣ１２３", "ABC123"),
    ("ａｂｃｘｙｚ，（全角）", "abcxyz，（全角）"),
    ("第１２章　Ｐｙｔｈｏｎ", "第12章　Python"),
    ("３．１４％", "3.14％"),
    ("①②③", "(1)(2)(3)"),
    ("图①2", "图(1)2"),
    ("⑩⑳㈠⑴⒈❶➀⓵⓿", "(10)(20)(一)(1)(1)(1)(1)(1)(0)"),
    ("see Ｆｉｇ ２", "see Fig 2"),
    ("㊀㊁", "(一)(二)"),
]
KEEPS = [
    "α+β=γ, μ=3",  # the original makes it a+b=y, u=3
    "10² x³ H₂O ½ ℃",
    "，。！？；：（）［］～＋－＝",
    "Ⅱ期 Ⅳ型",
    "カタカナ ｶﾀｶﾅ",
    "`Ａ１` 代码",
    "м Москва Ωμέγα",
    "甲．乙",
    "Ⓐ ⒜ ㎏ ㍿",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_changes(before: str, after: str) -> None:
    assert clean(before, "width") == after
    assert clean(after, "width") == after


@pytest.mark.parametrize("text", KEEPS)
def test_keeps(text: str) -> None:
    assert clean(text, "width") == text


def test_circles_can_stay() -> None:
    assert clean("①Ａ ㈠ ２", {"rule": "width", "circled": "keep"}) == "①A ㈠ 2"
