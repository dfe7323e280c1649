"""Texts of rare characters."""

from __future__ import annotations

import pytest

from tests.support.cleaning import measured

NOISE = "嫋嫕嫖嫗嫚嫛嫜嫞嫟嫢嫣嫤嫥嫨嫧嫪嫫嫬嫭嫮嫯嫰"


@pytest.mark.parametrize("text", [NOISE, NOISE + "的是", NOISE * 5 + "ok", NOISE + "。，", "龘靐齉齾爩鱻麤龗灪吁" * 3])
def test_noise_is_dropped(text: str) -> None:
    value, drop = measured(text, "common_characters")
    assert drop
    assert value < 0.2


@pytest.mark.parametrize(
    "text",
    [
        "今天天气很好，我们去公园散步，看到了很多花。",
        "An English text has none of them at all.",  # the original divided by all characters
        "3.14159 + 2.71828 = 5.85987",
        "這是一段繁體中文，說的是我們國家的歷史與語言。",
        "龘靐齉",
        "",
        "饕餮、魑魅魍魉、耄耋之年，这些词里生僻字不少，但文章还是好文章。",
    ],
)
def test_text_stays(text: str) -> None:
    assert not measured(text, "common_characters")[1]


def test_level_and_share_are_parameters() -> None:
    text = "饕餮魑魅魍魉耄耋龃龉踟蹰" * 2
    assert measured(text, "common_characters") == (0.0, True)
    assert measured(text, {"rule": "common_characters", "level": 2})[1] is False
    assert measured(text, {"rule": "common_characters", "share": 0})[1] is False
