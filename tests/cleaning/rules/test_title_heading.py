"""A row's title before its text."""

from __future__ import annotations

import pytest

from tests.support.cleaning import batch_of


def headed(row: dict[str, object], **parameters: object) -> str:
    rule = {"rule": "title_heading", **parameters}
    text: str = batch_of([row], "document", rule).texts["text"][0]
    return text


@pytest.mark.parametrize(
    ("title", "text", "expected"),
    [
        ("标题", "正文。", "# 标题\n\n正文。"),
        ("  A \n title ", "Text.", "# A title\n\nText."),
        ("标题", "  \n正文。", "# 标题\n\n正文。"),
        ("标题", "```\ncode\n```", "# 标题\n\n```\ncode\n```"),
        ("标题", "标题党是什么。", "# 标题\n\n标题党是什么。"),
    ],
)
def test_it_becomes_a_heading(title: str, text: str, expected: str) -> None:
    assert headed({"title": title, "content": text}) == expected
    assert headed({"title": title, "content": expected}) == expected


@pytest.mark.parametrize(
    "row",
    [
        {"content": "正文。"},
        {"title": "", "content": "正文。"},
        {"title": None, "content": "正文。"},
        {"title": 3, "content": "正文。"},
        {"title": "标题", "content": "标题\n正文。"},
    ],
)
def test_rows_without_a_title_and_texts_that_have_it_stay(row: dict[str, object]) -> None:
    assert headed(row) == row["content"]


def test_the_key_is_a_parameter_and_every_row_has_its_own() -> None:
    rows = [{"name": name, "content": f"文 `{name}` 字"} for name in "甲乙丙"]
    texts = batch_of(rows, "document", {"rule": "title_heading", "field": "name"}).texts["text"].to_list()
    assert texts == [f"# {name}\n\n文 `{name}` 字" for name in "甲乙丙"]
