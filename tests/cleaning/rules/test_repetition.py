"""Repeats inside a text: equal to the back-reference on any text, but in linear time."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaning.repeats import collapse
from tests.support.cleaning import clean

LIKE_THE_ORIGINAL = {"rule": "repetition", "copies": 2, "characters": 6, "letters": False}
CHANGES = [
    ("好的知道了好的知道了好的知道了好的知道了", "好的知道了"),
    ("开头。点击关注我们，点击关注我们，点击关注我们，结尾。", "开头。点击关注我们，结尾。"),
    ("Buy now! Buy now! Buy now! Buy now! End", "Buy now! End"),
    ("句子一。\n句子一。\n句子一。\n句子一。\n句子一。\n", "句子一。\n"),
    ("sincerely\n- sincerely\n- sincerely\n- sincerely\n- x", "sincerely\n- x"),
]
KEEPS = [
    "哈哈哈哈哈哈 很好很好很好",
    "very, very, very good",
    "我们研究研究再说，一步一步来",
    "He had had enough, that that was so.",
    "row, row, row your boat\nrow, row, row your boat",
    "==============================",
    "        deep indentation\n        again",
    "0000000000000000000000000000 1010101010101010101010",
    "```\nfoo bar foo bar foo bar foo bar foo bar\n```",
    "`abcabcabcabcabcabcabcabc`",
    "| a | a | a | a | a | a |\n|---|---|---|---|---|---|\n| b | b | b | b | b | b |",
    "1. 好的\n2. 好的\n3. 好的\n4. 好的\n5. 好的\n",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_changes(before: str, after: str) -> None:
    assert clean(before, "repetition") == after
    assert clean(after, "repetition") == after


@pytest.mark.parametrize("text", KEEPS)
def test_keeps(text: str) -> None:
    assert clean(text, "repetition") == text


PIECES = st.sampled_from(["a", "b", "ab", "abc", "中", "文", "中文字", "1", "２", " ", "\n", "é", "😀", "-", "好的吗"])
TEXTS = st.lists(st.tuples(st.lists(PIECES, max_size=6).map("".join), st.integers(1, 4)), max_size=8).map(
    lambda parts: "".join(piece * times for piece, times in parts)
)


def collapsed(text: str, *given: int) -> str:
    return collapse([text], *given).get(0, (text, 0))[0]


@settings(max_examples=500, deadline=None)
@given(TEXTS, st.integers(3, 70), st.integers(2, 4))
def test_one_pass_is_the_back_reference(text: str, longest: int, copies: int) -> None:
    expected = re.sub(rf"(\D{{3,{longest}}}?)\1{{{copies - 1},}}", r"\1", text)
    assert collapsed(text, longest, copies, 3 * copies) == expected


def plain(text: str, longest: int, copies: int, characters: int, letters: bool) -> str:
    """Say what is meant, place by place and length by length."""
    kept, at = [], 0
    while at < len(text):
        for length in range(3, longest + 1):
            piece, times = text[at : at + length], 1
            while len(piece) == length and text.startswith(piece, at + times * length):
                times += 1
            sound = not re.search(r"\d", piece) and (not letters or any(c.isalpha() for c in piece))
            if times >= copies and times * length >= characters and sound:
                kept.append(piece)
                at += times * length
                break
        else:
            kept.append(text[at])
            at += 1
    return "".join(kept)


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.integers(3, 40), st.integers(2, 4), st.integers(6, 30), st.booleans())
def test_every_parameter(text: str, longest: int, copies: int, characters: int, letters: bool) -> None:
    expected = plain(text, longest, copies, characters, letters)
    found = collapse([text], longest, copies, characters, letters)
    assert found.get(0, (text, 0))[0] == expected


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXTS, max_size=6))
def test_texts_do_not_see_each_other(texts: list[str]) -> None:
    together = collapse(texts)
    assert [together.get(at, (text, 0))[0] for at, text in enumerate(texts)] == [collapsed(text) for text in texts]


def test_the_rule_repeats_until_nothing_changes() -> None:
    text = "xxxxxxyxxxxxxy"
    assert collapsed(text) == "xxxyxxxy"
    assert clean(text, LIKE_THE_ORIGINAL) == "xxxy"


@pytest.mark.parametrize("piece", ["a", "-", "1", "哈", "a1", "- ", "abc" * 21 + "1", "0 "])
@pytest.mark.parametrize("rule", ["repetition", LIKE_THE_ORIGINAL])
def test_hostile_texts_cost_little(piece: str, rule: str) -> None:
    clean("warm", rule)
    before = time.process_time()
    clean(piece * (300_000 // len(piece)), rule)
    assert time.process_time() - before < 20  # the back-reference would take hours
