"""Text in the wrong encoding: what is repaired, what only looks like it, and how much of a row is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.cleaning import clean, measured

CHINESE = "今天天气很好，我们去公园吧。"


def misread(text: str, encoding: str) -> str:
    return text.encode().decode(encoding)


CHANGES = [
    (misread(CHINESE, "latin-1"), CHINESE),
    (misread("你好", "cp1252"), "你好"),
    (misread(CHINESE, "latin-1") + CHINESE, CHINESE * 2),
    ("å¥½ç\x9a\x84 " + CHINESE, "好的 " + CHINESE),
    ("â€œhiâ€\x9d she said", "“hi” she said"),
    ("itâ€™s a FaÃ§ade", "it’s a Façade"),
    ("price Â£5, 10Â°C", "price £5, 10°C"),
    ("FranÃ§ois et ZoÃ«", "François et Zoë"),
    ("first line\nnaÃ¯ve\r\nlast", "first line\nnaïve\r\nlast"),
    (misread("😀😀", "latin-1"), "😀😀"),
]
KEEPS = [
    "，（全角）“引号”",  # ftfy's defaults write `,(`
    "ﬁne ﬂow Ａ１",
    "a\r\nb &amp; c &lt;",
    "« déjà vu » CAFÉ» L’Été",
    "Ñ“hola” À—É",
    "naïve Zoë Müller Łódź",
    "résumé – “curly” … ½ × ÷ °",
    "中文é英文 à“b”",
    "`FaÃ§ade` and ```\nitâ€™s\n```",
    "e\u0301 stays as it is",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_changes(before: str, after: str) -> None:
    assert clean(before, "mojibake") == after
    assert clean(after, "mojibake") == after


@pytest.mark.parametrize("text", KEEPS)
def test_keeps(text: str) -> None:
    assert clean(text, "mojibake") == text


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=2, max_size=30))
def test_any_chinese_is_repaired(text: str) -> None:
    assert clean(misread(text, "latin-1") + "。", "mojibake") == text + "。"


@pytest.mark.parametrize(
    "text",
    [
        "锟斤拷锟斤拷这是一段文字",
        "text \ufffd\ufffd\ufffd with lost \ufffd letters",
        "浣犲ソ锛屼笘鐣屻€傝繖鏄祴璇曪紝鎴戜滑鐨勩€",
        "烫烫烫烫烫烫烫 hello",
        "\x81\x8d\x90 and more \x9d\x81\x8f",
    ],
)
def test_what_cannot_be_repaired_is_dropped(text: str) -> None:
    assert measured(text, "mojibake_ratio")[1]


@pytest.mark.parametrize(
    "text",
    ["", CHINESE, "Zoë déjà vu, naïve “text”", "水很烫，很烫的", "屯门、屯溪", "the sign \ufffd stands for lost text"],
)
def test_what_is_sound_is_kept(text: str) -> None:
    assert not measured(text, {"rule": "mojibake_ratio", "most": 0.05})[1]


def test_the_ratio_is_the_share_of_damaged_characters() -> None:
    assert measured("ab\ufffdc锟斤拷defg", "mojibake_ratio")[0] == pytest.approx(4 / 11)
