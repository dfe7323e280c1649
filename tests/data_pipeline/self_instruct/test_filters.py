from __future__ import annotations

import pytest

from data_pipeline.self_instruct.filters import Limits, instance_flaw, instruction_flaw
from data_pipeline.self_instruct.tasks import Task
from data_pipeline.self_instruct.verify import agree, checker_of
from data_pipeline.self_instruct.wording import EN, ZH

LIMITS = Limits(4, 12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Name the largest ocean.", None),
        ("Name the ocean.", "too_short"),
        ("one two three four five six seven eight nine ten eleven twelve", None),
        ("one two three four five six seven eight nine ten eleven twelve more", "too_long"),
        ("", "not_text"),
        ("= = = = = = = a b c d", "not_text"),
        ("Fill the gap: water is ________________ wet.", None),
        ("“Carpe diem” means what exactly?", None),
        ("-5 is what kind of number?", None),
        ("(Optional) name a second ocean.", None),
        ("* name a second big ocean", "starts_with_mark"),
        ("。 name a second big ocean", "starts_with_mark"),
        ("Translate 你好 into plain English.", None),
        ("翻译这个句子成英文。", "other_language"),
        ("Расскажи мне о большом городе", "other_language"),
        ("WRITE A PROGRAM that adds numbers.", "asks_for_program"),
        ("Explain how to write a program.", None),
        ("Draw a very nice house.", "beyond_text"),
        ("Withdraw the claim that follows.", None),
        ("Explain the word paragraph briefly.", None),
        ("Ｅxplain the Ｉmage to me.", "beyond_text"),
        ("spread   the LABELS. In all", "repeats_prompt"),
    ],
)
def test_instructions(text, expected):
    assert instruction_flaw(text, EN.whole_tasks, "en", EN, LIMITS) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("列举三种水果", None),
        ("写首诗", "too_short"),
        ("用Python实现quicksort并解释", None),
        ("Name the largest ocean.", "other_language"),
        ("编写一个程序来求和", "asks_for_program"),
        ("描述图片里的人", "beyond_text"),
    ],
)
def test_chinese_instructions(text, expected):
    assert instruction_flaw(text, "", "zh", ZH, LIMITS) == expected


@pytest.mark.parametrize(
    ("given", "output", "expected"),
    [
        ("", "An answer.", None),
        ("x", " \n", "empty_output"),
        ("Same  text", "Same text", "output_is_input"),
        ("", "Ask me.", "output_is_instruction"),
        ("", "The three are:", "unfinished"),
        ("", "三种如下：", "unfinished"),
        ("A: Hello!\nB:", "Hi.", None),
    ],
)
def test_instances(given, output, expected):
    assert instance_flaw("Ask me.", given, output) == expected


@pytest.mark.parametrize(
    ("output", "is_classification", "checker"),
    [
        ("positive", True, "label"),
        ("42", False, "number"),
        ("约3.5元", False, "number"),
        ("$1,200.50 in all", False, "number"),
        ("2 and 3", False, None),
        ("In the year 1984 the book was published.", False, None),
        ("blue", False, None),
    ],
)
def test_what_can_be_compared(output, is_classification, checker):
    assert checker_of(Task("", "q", "", output, is_classification)) == checker


@pytest.mark.parametrize(
    ("checker", "second", "first", "expected"),
    [
        ("label", "“Positive.”", "positive", True),
        ("label", "not spam", "spam", False),
        ("label", "", "spam", False),
        ("label", "！", "。", False),
        ("number", "It is 1,200.50 dollars", "$1200.5", True),
        ("number", "none", "3", False),
        ("number", "３", "3", True),
    ],
)
def test_agreement(checker, second, first, expected):
    assert agree(checker, second, first) is expected
