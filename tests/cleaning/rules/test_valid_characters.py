"""Emoji, a switch of their own, and controls beyond ASCII."""

from __future__ import annotations

import pytest

from tests.support.cleaning import clean

NAMES = [
    ("好👍", "好:thumbs_up_sign:"),
    ("👍🏽!", ":thumbs_up_sign:!"),
    ("🇨🇳", ":flag_cn:"),
    ("👨\u200d👩\u200d👧", ":man_woman_girl:"),
    ("❤️ ❤", ":heavy_black_heart: :heavy_black_heart:"),
    ("😂😂", ":face_with_tears_of_joy::face_with_tears_of_joy:"),
]
REMOVED = [
    ("好👍吗", "好吗"),
    ("a 👍 b", "a b"),
    ("a 👍 🇨🇳 b", "a b"),
    ("🎉 Hello", "Hello"),
    ("x\n🚀 y", "x\ny"),
    ("👨\u200d👩\u200d👧!", "!"),
]
SIGNS = ["✓ ✔ ★ ☆ ① → © ® ™ ♠", "1️⃣ 2️⃣", "× ÷ ≥ ℃ α か 한", "`👍`", "$a=👍$"]


@pytest.mark.parametrize(("before", "after"), NAMES)
def test_emoji_become_names(before: str, after: str) -> None:
    rule = {"rule": "valid_characters", "emoji": "text"}
    assert clean(before, rule) == after
    assert clean(after, rule) == after


@pytest.mark.parametrize(("before", "after"), REMOVED)
def test_emoji_go(before: str, after: str) -> None:
    assert clean(before, {"rule": "valid_characters", "emoji": "remove"}) == after


@pytest.mark.parametrize("text", SIGNS)
@pytest.mark.parametrize("emoji", ["keep", "remove", "text"])
def test_signs_stay(text: str, emoji: str) -> None:
    assert clean(text, {"rule": "valid_characters", "emoji": emoji}) == text


def test_controls_beyond_ascii_go() -> None:
    assert clean("a\x81b\x9fc\x85d", "valid_characters") == "abc\nd"
