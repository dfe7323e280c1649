"""An encyclopaedia's row as one text."""

from __future__ import annotations

import pytest

from tests.support.cleaning import batch_of

TABLE = "| 属性 | 值 |\n| --- | --- |\n| 面积 | 16410 平方公里 |\n| 别名 | 京、燕京 |"
EXPECTED = f"# 北京\n\n中国的首都。\n\n{TABLE}\n\n正文。"


def boxed(row: dict[str, object], **parameters: object) -> str:
    text: str = batch_of([row], "document", {"rule": "infobox", **parameters}).texts["text"][0]
    return text


@pytest.mark.parametrize(
    "facts",
    [
        {"面积": "16410 平方公里", "别名": ["京", "燕京"]},
        [["面积", "16410 平方公里"], ["别名", "京、燕京"]],
        [{"name": "面积", "value": "16410\n平方公里"}, {"name": "别名", "value": "京、燕京"}],
        {"面积": "16410 平方公里", "空": "", "无": None, "别名": "京、燕京"},
        [{"key": "面积", "value": "16410 平方公里"}, "不成对", {"key": "别名", "value": "京、燕京"}],
    ],
)
def test_facts_of_any_shape_become_a_table(facts: object) -> None:
    row = {"title": "北京", "abstract": "中国的首都。", "infobox": facts, "content": "正文。"}
    assert boxed(row) == EXPECTED
    assert boxed({**row, "content": EXPECTED}) == EXPECTED


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"title": "北京", "content": "正文。"}, "# 北京\n\n正文。"),
        ({"title": "北京", "infobox": "不是表", "content": "正文。"}, "# 北京\n\n正文。"),
        ({"abstract": "摘要", "content": "正文。"}, "正文。"),
        ({"title": "", "content": "正文。"}, "正文。"),
        ({"title": "北京", "content": "北京\n正文。"}, "北京\n正文。"),
    ],
)
def test_what_is_missing_is_left_out(row: dict[str, object], expected: str) -> None:
    assert boxed(row) == expected


def test_bars_in_cells_are_escaped_and_keys_are_parameters() -> None:
    row = {"name": "A", "card": {"k": "a|b"}, "content": "Text."}
    text = boxed(row, title="name", facts="card", header=["Field", "Value"])
    assert text == "# A\n\n| Field | Value |\n| --- | --- |\n| k | a\\|b |\n\nText."
