"""Pictures go, with the links around them."""

from __future__ import annotations

import pytest

from tests.support.cleaning import clean

RULE = "markdown_images"

CHANGES = [
    ("a ![x](y) b", "a b"),
    ("[![alt](u)](v)text", "text"),
    ("![a][b]\n\nx", "\n\nx"),
    ("![](data:image/png;base64,AAAA)后", "后"),
    ('看![图[1]](a(b)c.png "题")，好', "看，好"),
    ("one ![x](y)\ntwo", "one\ntwo"),
]

KEEPS = [
    "x![0] and a[!b]",
    "hello [link](a)",
    "`![x](y)`",
    "```md\n![x](y)\n```",
    "惊叹！[1]",
    "if (!a[i]) return",
    "wow! [see](b)",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_what_it_changes(before: str, after: str) -> None:
    assert clean(before, RULE) == after
    assert clean(after, RULE) == after


@pytest.mark.parametrize("text", KEEPS)
def test_what_it_leaves(text: str) -> None:
    assert clean(text, RULE) == text
