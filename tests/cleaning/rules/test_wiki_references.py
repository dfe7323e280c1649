"""Page numbers and marks of footnotes go, indices of arrays stay."""

from __future__ import annotations

import pytest

from tests.support.cleaning import clean

RULE = {"rule": "wiki_references", "footnotes": True}

CHANGES = [
    ("见史密斯|pp=12–15|下", "见史密斯下"),
    ("人口很多。[1][2]他", "人口很多。他"),
    ("born in London.[3] He", "born in London. He"),
    ("如此[来源请求]。", "如此。"),
    ("said so.[citation needed]", "said so."),
    ("面积[12]，人口", "面积，人口"),
]

KEEPS = [
    "arr[1] = x; data[2], list[3]",
    "[1] 张三",
    "x=[1]",
    "如果（数组[i]）",
    "int(time[0]), int(time[1])",
    "若 p = 2，则 2p = 4",
    "A[1]、B[2]",
    "cpp=3",
    "`a。[1]`",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_what_it_changes(before: str, after: str) -> None:
    assert clean(before, RULE) == after
    assert clean(after, RULE) == after


@pytest.mark.parametrize("text", KEEPS)
def test_what_it_leaves(text: str) -> None:
    assert clean(text, RULE) == text


def test_footnotes_only_on_request() -> None:
    assert clean("人口很多。[1]|pp=3|", "wiki_references") == "人口很多。[1]"
