"""The common words of English, counted by hand and against an expression."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from cleaning.english import WORDS, common_words

PIECES = st.sampled_from([*WORDS, "The", "OF", "other", "für", "théâtre", "to2", "x", " ", ", ", "-", "\n", "。", "中"])


def test_words_are_counted_with_and_without_the_common_ones() -> None:
    texts = ["The cat and the dog, of course", "", "Der Hund", "than thes toof", "THE-the"]
    assert common_words(texts).tolist() == [[7, 4], [0, 0], [2, 0], [3, 0], [2, 2]]


@given(st.lists(PIECES, max_size=20).map("".join))
def test_counts_are_those_of_an_expression(text: str) -> None:
    words = re.findall("[a-zA-Z0-9\u0080-\U0010ffff]+", text)
    assert common_words(["to", text]).tolist()[1] == [len(words), sum(word.lower() in WORDS for word in words)]
