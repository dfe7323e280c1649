"""The head and the tail of an e-text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cleaning.policy import rule_from
from tests.support.cleaning import clean

BODY = "正文第一句话在这里。" * 30  # 300 characters
RULE = {"rule": "head_tail_cut", "head": 0.01, "tail": 0.01, "keep": 200}
ENGLISH = "It was a dark night. " * 20


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("书名 作者\n" + BODY + "录入者", BODY),
        ("本书由某网站整理。" + BODY + "全文完", BODY),
        ("Typed by someone. " + ENGLISH + "end of", ENGLISH.strip()),
        ("版权所有。\n\n" + BODY + "（更多", BODY),
        ("《书》\n" + BODY, BODY[:-10]),
    ],
)
def test_head_and_tail_go_at_sentence_borders(before: str, after: str) -> None:
    assert clean(before, RULE) == after


@pytest.mark.parametrize(
    "text", ["短文一篇。还有一句。", "A short text. With two sentences.", BODY[:205], "", "字" * 500]
)
def test_short_texts_and_texts_without_a_border_stay(text: str) -> None:
    assert clean(text, RULE) == text  # the original cut 4,096 and 1,024 characters off whatever was there


def test_up_to_the_first_and_after_the_last_end() -> None:
    rule = {"rule": "head_tail_cut", "to_terminator": True, "keep": 200}
    assert clean("半句话。" + BODY + "又半句", rule) == BODY
    assert clean("half a sentence. " + ENGLISH + "another half", rule) == ENGLISH.strip()


def test_bounds_hold_for_long_books() -> None:
    book = "一句话十个字有没有啊。" * 30_000
    cut = clean(book, {"rule": "head_tail_cut"})
    assert len(book) - len(cut) <= 4096 + 1024 + 2 * 11
    assert len(cut) > 2048


def test_spans_are_not_cut_unless_protection_is_off() -> None:
    text = "“引用的一句话。”" + BODY
    assert clean(text, RULE).startswith("“引用的一句话。”")
    assert not clean(text, {**RULE, "protect": False}).startswith("“")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text("好ab。.！\n “”`", max_size=400), st.integers(1, 300))
def test_never_below_the_minimum(text: str, keep: int) -> None:
    cut = clean(text, {"rule": "head_tail_cut", "head": 0.3, "tail": 0.3, "keep": keep})
    assert cut == text or len(cut) >= keep


def test_a_cut_of_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="both 0"):
        rule_from({"rule": "head_tail_cut", "head": 0, "tail": 0})
