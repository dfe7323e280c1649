"""Different marks in a row: in no shipped policy, so only what it does on demand."""

from __future__ import annotations

import pytest

from cleaning.policy import POLICIES
from tests.support.cleaning import clean

CHANGES = [
    ("好的，。我们走", "好的，我们走"),
    ("完了。，", "完了。"),
    ("注意：，看", "注意：看"),
    ("好。,然后", "好。然后"),
    ("然后,，好", "然后,好"),
    ("a、，b", "a、b"),
]
KEEPS = [
    "真的？！是吗！？",
    "what?! no!?",
    "Yahoo!, a.m.: etc., U.S.?",
    "1.、苹果 etc.，等",
    "好……。“好。”，",
    "！！！ 。。。",
    "值：.5 和，.25",
    "1、4、7、？",
    "&quot;，中文",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_changes(before: str, after: str) -> None:
    assert clean(before, "mixed_punctuation") == after
    assert clean(after, "mixed_punctuation") == after


@pytest.mark.parametrize("text", KEEPS)
def test_keeps(text: str) -> None:
    assert clean(text, "mixed_punctuation") == text


def test_no_shipped_policy_has_it() -> None:
    files = list(POLICIES.rglob("*.yaml"))
    assert files
    assert not [file for file in files if "rule: mixed_punctuation" in file.read_text(encoding="utf-8")]
