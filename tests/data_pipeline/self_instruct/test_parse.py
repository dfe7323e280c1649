from __future__ import annotations

import pytest

from data_pipeline.self_instruct import parse
from data_pipeline.self_instruct.prompts import instance_head
from data_pipeline.self_instruct.wording import EN, ZH


def read(text, *, cut=False, wording=EN, first=3):
    found = parse.whole_tasks(text, first, cut, wording)
    return [draft.refused or (draft.instruction, draft.is_classification, draft.input, draft.output) for draft in found]


def test_chinese_with_either_colon_and_its_own_no_input():
    text = (
        "列出三种\n茶。\n3. 分类：否\n3. 输入:\n<无输入>\n3. 输出：\n绿茶、红茶、乌龙茶\n###\n"
        "4、指令：判断情感。\n4．分类：是\n4. 输出：\n正面\n4. 输入：\n很好看"
    )
    assert read(text, wording=ZH) == [
        ("列出三种 茶。", False, "", "绿茶、红茶、乌龙茶"),
        ("判断情感。", True, "很好看", "正面"),
    ]


def test_a_chunk_between_separators_that_is_no_task_is_counted():
    good = "3. Instruction: Say hello to me.\n3. Classification: no\n3. Input:\n<noinput>\n3. Output:\nhello"
    assert read(f"{good}\n###\n###\nThat was all!") == [("Say hello to me.", False, "", "hello"), "unreadable"]
    assert read(f"Here they are:\n{good}") == ["unreadable", ("Say hello to me.", False, "", "hello")]


def test_instructions_alone():
    found = parse.instructions(" Name a\n star.\n4. Count the sheep.\n5.\n6. Sing", 3, True)
    assert [draft.refused or draft.instruction for draft in found] == [
        "Name a star.",
        "Count the sheep.",
        "unreadable",
        "cut",
    ]
    assert [draft.instruction for draft in parse.instructions("3. Name a star.\n4. Rest.", 3, False)] == [
        "Name a star.",
        "Rest.",
    ]
    assert [draft.refused for draft in parse.instructions(" \n", 3, False)] == ["empty_reply"]


@pytest.mark.parametrize(
    ("reply", "wording", "expected"),
    [
        ("yes", EN, True),
        (" No.\n", EN, False),
        ("**Yes**", EN, True),
        ("yes, because it has labels", EN, None),
        ("no\nInstruction: Sing.\nClassification: no", EN, False),
        ("", EN, None),
        ("是", ZH, True),
        ("否。", ZH, False),
        ("不是", ZH, None),
        ("yes", ZH, None),
    ],
)
def test_decisions(reply, wording, expected):
    assert parse.decision(reply, wording) is expected


HEAD = instance_head(3, "Judge the mood.", True, EN)


@pytest.mark.parametrize(
    "reply",
    [
        "sad\n3. Input:\nIt rains.",
        "3. Output:\nsad\n3. Input:\nIt rains.\n###\n4. Instruction: more",
        "###\n3. Instruction: Judge the mood.\n3. Classification: yes\n3. Output:\nsad\n3. Input:\nIt rains.",
    ],
)
def test_an_instance_goes_on_or_repeats(reply):
    draft = parse.instance(reply, HEAD, False, EN)
    assert (draft.refused, draft.output, draft.input) == (None, "sad", "It rains.")


def test_an_instance_that_is_none():
    assert parse.instance("sad", HEAD, False, EN).refused == "unreadable"
    assert parse.instance("sad\n3. Input:\nIt ra", HEAD, True, EN).refused == "cut"
    assert parse.instance("", HEAD, False, EN).refused == "unreadable"
