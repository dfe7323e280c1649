"""The sample: tasks with one right answer, dirt with a known truth."""

import json
import random

import pytest

from rounds.sample import SampleConfig, dirty_lines, tasks


@pytest.mark.parametrize(
    ("lang", "question", "answer"),
    [
        ("en", "Is 7 odd or even?", "odd"),
        ("zh", "8是奇数还是偶数？", "偶数"),
        ("en", "What number comes after 41?", "42"),
        ("zh", "3和8哪个更大？", "8"),
        ("en", "Take 4, add 1, and say whether the result is odd or even.", "odd"),
        ("zh", "“热”的反义词是什么？", "冷"),
    ],
)
def test_answers_are_right(lang, question, answer):
    assert dict(tasks(lang))[question] == answer


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_questions_are_distinct(lang):
    questions = [question for question, _ in tasks(lang)]
    assert len(questions) == len(set(questions)) > 1200


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_each_language_has_enough_tasks_for_the_largest_sample(lang):
    SampleConfig(output="o", rows=2500)
    with pytest.raises(ValueError, match="2500"):
        SampleConfig(output="o", rows=2501)
    assert len(set(tasks(lang))) == 1290
    assert dirty_lines(lang, 1250, random.Random(1))[1]["in"] > 1250


def test_truth_counts_the_planted_dirt():
    lines, truth = dirty_lines("en", 400, random.Random(1))
    rows, broken = [], 0
    for line in lines:
        try:
            rows.append(json.loads(line))
        except ValueError:
            broken += 1
    assert (len(lines), broken) == (truth["in"], truth["broken"])
    assert sum(row["id"].endswith("-copy") for row in rows) == truth["copy"] == 20
    assert sum(not row["output"] for row in rows) == truth["empty"] > 0
    originals = [row for row in rows if not row["id"].endswith("-copy")]
    assert sum("<p>" in row["instruction"] for row in originals) == truth["markup"] > 0


def test_same_seed_same_bytes():
    assert dirty_lines("zh", 50, random.Random(3)) == dirty_lines("zh", 50, random.Random(3))
    assert dirty_lines("zh", 50, random.Random(3)) != dirty_lines("zh", 50, random.Random(4))
