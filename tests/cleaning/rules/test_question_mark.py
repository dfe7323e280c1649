"""Questions without a mark."""

from __future__ import annotations

import pytest

from tests.support.cleaning import batch_of, clean


def asked(instruction: str, output: str = "答案。") -> list[str]:
    rows = [{"instruction": instruction, "input": "", "output": output}]
    found: list[str] = batch_of(rows, "alpaca", "question_mark").texts["text"].to_list()
    return found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("电脑开不了机怎么办", "电脑开不了机怎么办？"),
        ("求助，电脑开不了机 ", "求助，电脑开不了机？"),
        ("How do I boot it", "How do I boot it?"),
        ("什么是《红楼梦》", "什么是《红楼梦》？"),
        ("Python 3 怎么装", "Python 3 怎么装？"),
    ],
)
def test_the_users_text_gets_a_mark(before: str, after: str) -> None:
    assert asked(before) == [after, "", "答案。"]
    assert asked(after) == [after, "", "答案。"]


@pytest.mark.parametrize("text", ["怎么办？", "怎么办?", "急！", "Tell me.", "运行 `ls`", "", "求 $x^2=1$"])
def test_ended_questions_and_code_stay(text: str) -> None:
    assert asked(text)[0] == text


def test_answers_stay() -> None:
    assert asked("怎么办", "重启")[2] == "重启"
    rows = [{"messages": [{"role": "user", "content": "一"}, {"role": "assistant", "content": "`a` 二"}]}] * 2
    assert batch_of(rows, "chat", "question_mark").texts["text"].to_list() == ["一？", "`a` 二"] * 2


def test_of_a_document_the_first_line_is_the_question() -> None:
    assert clean("电脑开不了机怎么办\n先看电源。", "question_mark") == "电脑开不了机怎么办？\n先看电源。"
    assert clean("只有一行", "question_mark") == "只有一行"
