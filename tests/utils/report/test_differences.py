"""A difference marks what changed and nothing else."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.report.differences import LIMIT, Part, compare, excerpt, visible


def changed(parts: list[Part]) -> list[str]:
    return [part.text for part in parts if part.kind == "changed"]


@pytest.mark.parametrize(
    ("before", "after", "gone", "new"),
    [
        ("the cat sat", "the dog sat", ["cat"], ["dog"]),
        ("my colour is", "my color is", ["u"], []),
        ("two  blanks", "two blanks", [" "], []),
        ("pass\u200bword", "password", ["\u200b"], []),
        ("请点击<br>这里", "请点击这里", ["<br>"], []),
        ("今天天气好", "今天天气很好", [], ["很"]),
        ("one two three", "one three", [" two"], []),
        ("<br> hello", "hello", ["<br> "], []),
        ("same", "same", [], []),
        ("", "new", [], ["new"]),
        ("old", "", ["old"], []),
        ("a 1 b 2 c", "a 3 b 4 c", ["1", "2"], ["3", "4"]),
    ],
)
def test_marks_exactly_the_changed_part(before: str, after: str, gone: list[str], new: list[str]) -> None:
    found = compare(before, after)
    assert (changed(found.before), changed(found.after)) == (gone, new)


@given(st.text("ab 天气.\n", max_size=60), st.text("ab 天气.\n", max_size=60))
def test_parts_joined_are_the_texts(before: str, after: str) -> None:
    found = compare(before, after)
    assert "".join(part.text for part in found.before) == before
    assert "".join(part.text for part in found.after) == after
    same = ["".join(part.text for part in side if part.kind == "same") for side in (found.before, found.after)]
    assert same[0] == same[1]


def test_excerpt_keeps_context_and_counts_what_it_leaves_out() -> None:
    parts = [Part("same", "a" * 1500), Part("changed", "X"), Part("same", "b" * 1000)]
    assert excerpt(parts, 80) == [
        Part("cut", "1,420"),
        Part("same", "a" * 80),
        Part("changed", "X"),
        Part("same", "b" * 80),
        Part("cut", "920"),
    ]


def test_excerpt_ends_at_words_where_there_are_words() -> None:
    found = compare("word " * 300 + "old", "word " * 300 + "new")
    assert found.before_excerpt == [Part("cut", "1,424"), Part("same", " " + "word " * 15), Part("changed", "old")]


def test_a_change_far_into_a_very_long_text_is_found_quickly() -> None:
    before, after = "x " * 2_000_000 + "old" + " y" * 100_000, "x " * 2_000_000 + "new" + " y" * 100_000
    start = time.monotonic()
    found = compare(before, after)
    assert time.monotonic() - start < 20
    assert (changed(found.before), changed(found.after)) == (["old"], ["new"])
    assert sum(len(part.text) for part in found.before) < LIMIT + 40
    assert found.before[0] == Part("cut", "3,999,920")


def test_a_text_cut_short_has_no_false_change_at_its_end() -> None:
    words = " ".join(f"w{number}" for number in range(8000))
    before, after = "gone " + words + " old", words + " new"
    found = compare(before, after)
    assert (changed(found.before), changed(found.after)) == (["gone "], [])
    assert found.after[0].kind == "same"
    for side, text in ((found.before, before), (found.after, after)):
        assert side[-1].kind == "cut"
        assert sum(len(part.text) for part in side[:-1]) + int(side[-1].text.replace(",", "")) == len(text)


def test_a_text_rewritten_from_end_to_end_is_shown() -> None:
    found = compare("a" * 30_000, "b" * 30_000)
    assert found.before == [Part("changed", "a" * LIMIT), Part("cut", "10,000")]


def test_many_changes_in_a_long_text_are_found_quickly() -> None:
    words = [f"word{number % 97}" for number in range(2000)]
    others = [f"other{number}" if number % 50 == 7 else word for number, word in enumerate(words)]
    start = time.monotonic()
    found = compare(" ".join(words), " ".join(others))
    assert time.monotonic() - start < 10
    assert changed(found.after) == [f"other{number}" for number in range(7, 2000, 50)]


def test_invisible_characters_show_in_a_change_and_bidi_always() -> None:
    assert visible("a b\u200b") == "a b\u200b"
    assert visible("a b\u200b", changed=True) == "a·b⟨U+200B⟩"
    assert visible("x\u202ey") == "x⟨U+202E⟩y"
    assert visible("\n", changed=True) == "↵\n"
