"""Rows of hyphens."""

from __future__ import annotations

import pytest

from tests.support.cleaning import clean

CHANGES = [
    ("他说------好", "他说---好"),
    ("----张三", "---张三"),
    ("a ------ b", "a --- b"),
    ("text----\nmore", "text---\nmore"),
    ("one----two----three", "one---two---three"),
]
KEEPS = [
    "title\n-----\ntext",
    "------------",
    "---\ntitle: x\n---\n",
    "a\n\n----------\n\nb",
    "+-----+------+\n| a   | b    |\n+-----+------+",
    "a ----> b <---- c",
    "-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----",
    "A-----B-------C----D",
    "| a | b |\n|-----|------|\n| 1 | 2 |",
    "col1    col2\n-----   -----\n1       2",
    "`-----` ```\n------\nx ----- y\n```",
    "a -- b --- c",
    "<!------>",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_changes(before: str, after: str) -> None:
    assert clean(before, "long_dashes") == after
    assert clean(after, "long_dashes") == after


@pytest.mark.parametrize("text", KEEPS)
def test_keeps(text: str) -> None:
    assert clean(text, "long_dashes") == text
