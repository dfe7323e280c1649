"""What all rules on the writing of a text have in common."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaning.policy import rule_from
from cleaning.rules.base import EditRule, Segments
from tests.support.cleaning import clean_all

RULES: list[dict[str, Any]] = [
    {"rule": "mojibake"},
    {"rule": "valid_characters"},
    {"rule": "valid_characters", "emoji": "remove"},
    {"rule": "valid_characters", "emoji": "text"},
    {"rule": "width"},
    {"rule": "width", "circled": "keep"},
    {"rule": "look_alikes"},
    {"rule": "traditional_to_simplified"},
    {"rule": "quote_style", "brackets": True},
    {"rule": "quote_style", "corners": False, "brackets": True},
    {"rule": "repeated_punctuation"},
    {"rule": "repeated_punctuation", "most": 1},
    {"rule": "mixed_punctuation"},
    {"rule": "long_dashes"},
    {"rule": "cjk_full_stop"},
    {"rule": "blanks_beside_cjk", "beside": "marks"},
    {"rule": "blanks_beside_cjk"},
    {"rule": "blanks_beside_cjk", "beside": "all"},
    {"rule": "edge_punctuation"},
    {"rule": "blank_lines", "keep": 0},
    {"rule": "blank_lines", "markdown_breaks": True},
    {"rule": "repetition"},
    {"rule": "repetition", "copies": 2, "characters": 6, "letters": False},
]
NAMES = [" ".join(map(str, rule.values())) for rule in RULES]
TEXTS = st.lists(
    st.sampled_from(
        [
            *"a中。，.-！？「」【】“”（）  \u3000\n1\t①Ａ２²Ⅱ．'\"[]:;>#*|臺國於かé—…～\u200b\u200d\x81♠",
            *("----", "。。。。", "Ã©", "ä½\xa0", "â€œ", "pаy", "Ωа", "  \n", "\r\n", "👍", "👍🏽", "❤️", "🇨🇳"),
            *("Python", "3.14", "好的知道了" * 3),
        ]
    ),
    max_size=25,
).map("".join)
NUMBER = re.compile(r"[0-9]+(?:[.,:/-][0-9]+)*")
COLUMNS = st.lists(TEXTS, max_size=20)


@pytest.mark.parametrize("given_rule", RULES, ids=NAMES)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(texts=COLUMNS)
def test_a_text_without_the_trigger_is_not_changed(given_rule: dict[str, Any], texts: list[str]) -> None:
    rule = rule_from(given_rule)
    assert isinstance(rule, EditRule)
    whole = [True] * len(texts)
    assert clean_all(texts, given_rule | {"protect": False}) == rule.apply(Segments(texts, whole, whole)).texts


@pytest.mark.parametrize("given_rule", RULES, ids=NAMES)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(texts=COLUMNS)
def test_cleaning_twice_is_cleaning_once(given_rule: dict[str, Any], texts: list[str]) -> None:
    once = clean_all(texts, given_rule)
    assert clean_all(once, given_rule) == once


@pytest.mark.parametrize("given_rule", RULES, ids=NAMES)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(texts=COLUMNS)
def test_plain_numbers_stay(given_rule: dict[str, Any], texts: list[str]) -> None:
    plain = [text for text in texts if not re.search("[①Ａ２²Ⅱ]", text)]  # of these `width` makes numbers
    cleaned = clean_all(plain, given_rule)
    assert [NUMBER.findall(text) for text in cleaned] == [NUMBER.findall(text) for text in plain]
