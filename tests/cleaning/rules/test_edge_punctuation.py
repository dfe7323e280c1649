"""What a cut leaves at the ends of a text."""

from __future__ import annotations

import pytest

from tests.support.cleaning import clean

CHANGES = [
    ("）后面的文字。", "后面的文字。"),
    ("，。然后他走了。", "然后他走了。"),
    ("”他说。", "他说。"),
    ("全文完（", "全文完"),
    ("他说：“\n", "他说："),
    ("苹果、香蕉、", "苹果、香蕉"),
    (") the rest of it.", "the rest of it."),
    ("all the things that we had to do,", "all the things that we had to do"),
    ("in book collections. [", "in book collections."),
]
KEEPS = [
    "The end.",  # the original strips the stop and the quote
    "他说：“好。”",
    "（注）正文（完）",
    "“引文”在前，“引文”",
    "”反着的引号“",
    "so sad :(",
    "请翻译以下句子：",
    "Best regards,",
    "> quoted\n(a) item",
    "int a = 0;",
    "text\n",
    "[link] text [x]",
    "...and so on...",
    "`（` 是括号 `（`",
    "3.",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_changes(before: str, after: str) -> None:
    assert clean(before, "edge_punctuation") == after
    assert clean(after, "edge_punctuation") == after


@pytest.mark.parametrize("text", KEEPS)
def test_keeps(text: str) -> None:
    assert clean(text, "edge_punctuation") == text
