"""Runs of one sentence mark."""

from __future__ import annotations

import pytest

from tests.support.cleaning import clean

RULE = "repeated_punctuation"
CHANGES = [
    ("太好了！！！！！！", "太好了！！！"),
    ("真的？？？？吗", "真的？？？吗"),
    ("嗯。。。。。。。。", "嗯。。。"),
    ("等等………………完", "等等……完"),
    ("好，，，，吧、、、、、", "好，，，吧、、、"),
    ("what????? no!!!!!!!", "what??? no!!!"),
    ("wait......... ok....", "wait... ok..."),
    ("好吃～～～～～～", "好吃～～～"),
]
KEEPS = [
    "a == b, c === d, e //// f",
    "wait... 等等…… 好——",
    "省略号有六个点......对吗",
    "真的？？？！！！",
    "Morse: .... . .-.. ....- ",
    "——————",
    "____ 填空 ____",
    "|----|****|~~~~|####|",
    "::::::: and ,,,,, and ;;;;",
    "`!!!!!!` ```\n........\n```",
    "$a....b!!!!!$",
    "https://a.b/c????d",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_changes(before: str, after: str) -> None:
    assert clean(before, RULE) == after
    assert clean(after, RULE) == after


@pytest.mark.parametrize("text", KEEPS)
def test_keeps(text: str) -> None:
    assert clean(text, RULE) == text


def test_the_most_is_a_parameter_and_spares_ellipses() -> None:
    rule = {"rule": RULE, "most": 1}
    assert clean("好！！！！！ 嗯。。。。。 well......... 完…………", rule) == "好！ 嗯。。。 well... 完……"


@pytest.mark.parametrize(
    "text",
    [
        "....|....\n----+----",
        "+......+\n|!!!!!!|",
        "..#..\n.....\n#...#",
        "........\n........",
        'print("loading........")',
        "regex = /^a....$/",
        "if (x) { warn('stop!!!!'); }",
    ],
)
def test_drawings_and_code_without_a_fence_stay(text: str) -> None:
    assert clean(text, RULE) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("so we waited and waited........ then x = 5", "so we waited and waited... then x = 5"),
        ("a | b is what he said to us!!!!!!", "a | b is what he said to us!!!"),
        ("！！！！\n！！！！", "！！！\n！！！"),
        ("5 + 5 = 10！！！！", "5 + 5 = 10！！！"),
    ],
)
def test_prose_beside_signs_changes(before: str, after: str) -> None:
    assert clean(before, RULE) == after
