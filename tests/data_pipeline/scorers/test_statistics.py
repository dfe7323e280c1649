"""What a scorer sees of a row: kinds of tasks, what an answer takes from its prompt, and texts at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.scorers.asked import asked
from data_pipeline.scorers.features import Space
from data_pipeline.scorers.relations import longest_run
from data_pipeline.scorers.statistics import statistics


@pytest.mark.parametrize(
    ("english", "chinese", "kind"),
    [
        ("Who wrote Hamlet?", "哈姆雷特是谁写的?", 3),
        ("Where is Oslo?", "奥斯陆在哪里?", 5),
        ("Why is the sky blue?", "天空为什么是蓝色的?", 8),
        ("How many moons has Mars?", "火星有多少颗卫星?", 10),
        ("Classify these as fruit or tool", "把下面的词分类", 13),
        ("Suggest some names for a cat", "给猫推荐一些名字", 14),
        ("Summarize the passage", "总结这个段落", 16),
    ],
)
def test_kinds_of_tasks_in_two_languages(english: str, chinese: str, kind: int) -> None:
    assert asked(english)[kind] == asked(chinese)[kind] == 1
    assert asked("Open the door.")[kind] == asked("开门。")[kind] == 0


def test_the_longest_run_in_both() -> None:
    assert longest_run(list("abcde"), list("xbcdy")) == 3
    assert longest_run(list("ab"), list("cd")) == 0
    assert longest_run([], ["a"]) == 0
    assert longest_run(["a"] * 90, ["a"] * 70) == 50


def test_an_answer_that_is_copied_is_told_from_one_that_is_not() -> None:
    prompt = "What colour is it?\nThe house on the hill is red and its door is green."
    copied, own = "The house on the hill is red", "It seems painted in crimson tones"
    both = statistics(["What colour is it?"] * 2, [prompt] * 2, [copied, own])
    assert (both[0] != both[1]).sum() > 10


@given(st.lists(st.tuples(st.text(max_size=40), st.text(max_size=60)), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_numbers_are_finite_whatever_the_text(rows: list[tuple[str, str]]) -> None:
    prompts, answers = zip(*rows, strict=True)
    found = statistics([prompt.partition("\n")[0] for prompt in prompts], prompts, answers)
    assert found.shape[0] == len(rows)
    assert np.isfinite(found).all()


def test_texts_without_terms_leave_no_topics() -> None:
    views = {"task": [""] * 60, "prompt": [""] * 60, "answer": ["yes"] * 60}
    space, found = Space.fitted(views, "offline")
    assert found["task.topics"].shape[0] == 60
    again = space.features(views)
    assert all((again[name] != found[name]).sum() == 0 for name in found)
