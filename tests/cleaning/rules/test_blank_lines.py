"""Line ends and Markdown's breaks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaning.scan import Scanner
from tests.support.cleaning import batch_of, clean

MARKDOWN = {"rule": "blank_lines", "markdown_breaks": True}
CHANGES = [
    ("a \nb", "a\nb"),
    ("a    \nb", "a  \nb"),
    ("a  \n\nb", "a\n\nb"),
    ("a  \n   \nb", "a\n\nb"),
    ("\n\na  \r\nb  ", "a  \nb"),
    ("一\u3000\n二", "一\n二"),
    ("a\t\nb", "a\nb"),
    ("a\r\n\r\n\r\nb", "a\n\nb"),
    ("a\n \n \nb", "a\n\nb"),
]
KEEPS = ["a  \nb", "诗句一，  \n诗句二。", "- a  \n  b", "x `a`  \ny", "x  \n`a` y", "a  \n    b"]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_markdown_breaks_change(before: str, after: str) -> None:
    assert clean(before, MARKDOWN) == after
    assert clean(after, MARKDOWN) == after


@pytest.mark.parametrize("text", KEEPS)
def test_markdown_breaks_stay(text: str) -> None:
    assert clean(text, MARKDOWN) == text


def test_without_it_they_go() -> None:
    assert clean("a  \nb", "blank_lines") == "a\nb"


TEXT = st.lists(
    st.sampled_from(["a", "b.", "中。", " ", "  ", "\t", "\n", "\r\n", "\r", "\u3000", "\n\n\n", "`x`"]), max_size=14
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(TEXT.map("".join), min_size=1, max_size=4))
def test_counts_by_arithmetic_are_those_of_a_new_scan(texts: list[str]) -> None:
    for rule in ({"rule": "blank_lines"}, {"rule": "blank_lines", "markdown_breaks": True}):
        batch = batch_of([{"text": text} for text in texts], "document", rule)
        again = Scanner([]).scan(batch.texts["text"].to_list())
        assert batch.counts.tolist() == again.counts.tolist()
