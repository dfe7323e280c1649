"""Corner brackets and heavy brackets."""

from __future__ import annotations

import pytest

from tests.support.cleaning import clean

CHANGES = [
    ("他说：「好。」", "他说：“好。”"),
    ("「甲『乙』丙」", "“甲‘乙’丙”"),
    ("“他说「好」就走”", "“他说‘好’就走”"),
    ("「一」、「二」\n「三」", "“一”、“二”\n“三”"),
    ("read 「红楼梦」 now", "read “红楼梦” now"),
]
KEEPS = ["「没有结束", "』反「", "「東京」へ行く", "`「」` 是引号", "【注】 [a]", "“好” ‘x’", '"quoted"']


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_changes(before: str, after: str) -> None:
    assert clean(before, "quote_style") == after
    assert clean(after, "quote_style") == after


@pytest.mark.parametrize("text", KEEPS)
def test_keeps(text: str) -> None:
    assert clean(text, "quote_style") == text


def test_heavy_brackets_are_a_switch_of_their_own() -> None:
    rule = {"rule": "quote_style", "corners": False, "brackets": True}
    assert clean("【注】「甲」", rule) == "[注]「甲」"
    assert clean("【注「甲」", rule) == "【注「甲」"
