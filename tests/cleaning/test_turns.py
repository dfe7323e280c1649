"""Conversations without emptied exchanges, and long ones in parts."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleaning.turns import split_turns, without_empty_turns
from utils.data.formats import format_named

CHAT, SHAREGPT, DATA = format_named("chat"), format_named("sharegpt"), format_named("data_list")


def chat(*texts: str, system: str | None = None) -> dict[str, Any]:
    turns = [{"role": "assistant" if i % 2 else "user", "content": text} for i, text in enumerate(texts)]
    head = [] if system is None else [{"role": "system", "content": system}]
    return {"id": "x", "messages": head + turns, "source": "s"}


@pytest.mark.parametrize(
    ("texts", "left"),
    [
        (["", "", "二", "答"], ["二", "答"]),
        (["一", "答", "", " \n"], ["一", "答"]),
        (["一", "答", "", "", "三", "答"], ["一", "答", "三", "答"]),
        (["", "", "", "", "三", "答"], ["三", "答"]),
        (["一", "", "二", "答"], ["一", "", "二", "答"]),  # only the answer is empty: no exchange
        (["", "答", "", "答"], ["", "答", "", "答"]),
        (["", ""], ["", ""]),  # nothing would be left
        (["一", "答"], ["一", "答"]),
    ],
)
def test_emptied_exchanges_go(texts: list[str], left: list[str]) -> None:
    row = chat(*texts, system="规则")
    before = copy.deepcopy(row)
    found = without_empty_turns(row, CHAT)
    assert [turn["content"] for turn in found["messages"]] == ["规则", *left]
    assert list(found) == ["id", "messages", "source"]
    assert row == before
    assert (found is row) is (texts == left)


def test_every_format_with_a_list_of_turns() -> None:
    assert without_empty_turns({"data": ["", "", "问", "答"], "score": 1}, DATA) == {"data": ["问", "答"], "score": 1}
    row = {
        "conversations": [
            {"from": f, "value": v} for f, v in (("human", ""), ("gpt", ""), ("human", "问"), ("gpt", "答"))
        ]
    }
    assert without_empty_turns(row, SHAREGPT) == {"conversations": row["conversations"][2:]}


@pytest.mark.parametrize(
    ("fmt", "row"),
    [
        ("alpaca", {"instruction": "", "input": "", "output": ""}),
        ("document", {"text": ""}),
        ("seed_task", {"instruction": "a", "instances": [{"input": "", "output": ""}, {"input": "b", "output": "c"}]}),
        ("preference", {"prompt": [""], "chosen": "", "rejected": "a"}),
    ],
)
def test_rows_of_other_formats_stay(fmt: str, row: dict[str, Any]) -> None:
    assert without_empty_turns(row, format_named(fmt)) is row
    sizes = [9] * len(format_named(fmt).texts(row))
    assert list(split_turns(row, format_named(fmt), sizes, 1)) == [row]


def test_long_conversations_are_cut_between_exchanges() -> None:
    row = chat("一", "答", "二", "答", "三", "答", system="规则")
    parts = list(split_turns(row, CHAT, [1, 2, 2, 2, 2, 2, 2], 9))
    assert [[turn["content"] for turn in part["messages"]] for part in parts] == [
        ["规则", "一", "答", "二", "答"],
        ["规则", "三", "答"],
    ]
    assert [part["id"] for part in parts] == ["x-1", "x-2"]
    assert all(part["source"] == "s" for part in parts)


def test_short_and_single_ones_stay_whole() -> None:
    row = chat("一", "答", "二", "答")
    assert list(split_turns(row, CHAT, [1] * 4, 4)) == [row]
    assert list(split_turns(chat("一", "答"), CHAT, [50, 50], 4)) == [chat("一", "答")]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=14), st.integers(1, 20))
def test_nothing_is_lost_and_no_part_is_too_long_but_for_one_exchange(sizes: list[int], most: int) -> None:
    row = chat(*map(str, range(len(sizes))))
    parts = list(split_turns(row, CHAT, sizes, most))
    turns = [turn for part in parts for turn in part["messages"]]
    assert turns == row["messages"]
    for part in parts:
        own = [sizes[int(turn["content"])] for turn in part["messages"]]
        assert sum(own) <= most or len(own) <= 2
        assert part["messages"][0]["role"] == "user"
