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


ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
WALES = "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f"


def test_flags_of_regions_are_whole() -> None:
    assert clean(f"{ENGLAND} – {WALES}", "valid_characters") == f"{ENGLAND} – {WALES}"
    assert clean(f"a {ENGLAND} b", {"rule": "valid_characters", "emoji": "text"}) == "a :flag_gbeng: b"
    assert clean(f"a {ENGLAND} b", {"rule": "valid_characters", "emoji": "remove"}) == "a b"


@pytest.mark.parametrize("text", ["x\U000e0067\U000e007f", "🏴\U000e0067\U000e0062", "\U000e0001x"])
def test_invisible_letters_elsewhere_go(text: str) -> None:
    assert not any("\U000e0000" <= c <= "\U000e007f" for c in clean(text, "valid_characters"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[1;32;40mok\x1b[K\x1b[2J", "ok"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b(Btext\x1b[?25l", "text"),
        ("\x1bHello", "Hello"),
        ("cut at \x1b[31", "cut at [31"),
    ],
)
def test_what_a_terminal_obeys_goes_whole(before: str, after: str) -> None:
    assert clean(before, "valid_characters") == after


@pytest.mark.parametrize("text", ["a[31m, b[0m", "หวัดดี ሰላም 你好，ﬁ ☃ 𝒜 𠀀", "क्\u200dष"])
def test_readable_text_stays(text: str) -> None:
    assert clean(text, "valid_characters") == text
