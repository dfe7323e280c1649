from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.self_instruct.rouge import Nearest, common_length, rouge_l, tokens_of

WORDS = st.lists(st.sampled_from("abcd"), max_size=80)


def plain(left, right):
    """The longest common subsequence by the textbook's table."""
    table = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        # common: the cat on the mat = 5 of 6 and 6
        ("the cat sat on the mat", "The cat lay on the mat!", 10 / 12),
        # common: police, killed or the gunman in order: police + the + gunman = 3 of 4 and 4 (Lin 2004, the example)
        ("police killed the gunman", "police kill the gunman", 6 / 8),
        ("police killed the gunman", "the gunman kill police", 4 / 8),
        # by characters: 写一首关于春的诗 and 写一首关于秋的诗, 7 of 8 and 8
        ("写一首关于春的诗", "写一首关于秋的诗。", 14 / 16),
        # a Latin word is one token among characters: 用 python 写 排 序 and 用 java 写 排 序, 4 of 5 and 5
        ("用Python写排序", "用Java写排序", 8 / 10),
        ("one two", "three", 0.0),
        ("", "", 0.0),
    ],
)
def test_hand_arithmetic(left, right, expected):
    assert rouge_l(tokens_of(left), tokens_of(right)) == expected


@settings(deadline=None)
@given(WORDS, WORDS)
def test_common_length_is_the_textbook_s(left, right):
    assert common_length(left, right) == plain(left, right)


def test_tokens_are_words_without_case_and_marks_and_single_chinese_characters():
    assert tokens_of("Don't use C++, 写3行 naïve_code") == ["don", "t", "use", "c", "写", "3", "行", "naïve", "code"]


@settings(deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=12), WORDS, st.sampled_from([0.3, 0.5, 0.7, 1.0]))
def test_the_index_finds_what_comparing_with_all_finds(texts, new, threshold):
    near = Nearest(threshold)
    for number, text in enumerate(texts):
        near.add(str(number), " ".join(text))
    scores = [rouge_l(new, text) for text in texts]
    best = max(scores)
    expected = (str(scores.index(best)), best) if best >= threshold else None
    assert near.nearest(" ".join(new)) == expected


def test_few_of_many_are_compared():
    rng = random.Random(1)
    near = Nearest(0.7)
    words = [f"w{number}" for number in range(400)]
    for number in range(2000):
        near.add(str(number), " ".join(rng.choices(words, k=12)))
    assert near._possible(near.texts[7]) == [7]
