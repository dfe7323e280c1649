"""Names behind an @ go to the next blank or mark; programs keep theirs."""

from __future__ import annotations

import pytest

from tests.support.cleaning import clean

RULE = "mentions"

CHANGES = [
    ("转发 @张三 你好", "转发 你好"),
    ("@李四，看这里", "，看这里"),
    ("thanks @bob_1, and @alice!", "thanks, and!"),
    ("//@某某:太好了", "太好了"),
    ("RT @abc: hi", "RT hi"),
    ("感谢@王五 的支持", "感谢 的支持"),
    ("hi @bob.", "hi."),
]

KEEPS = [
    "@property\ndef f(self): pass",
    "@app.route('/')\ndef f(): pass",
    "@decorator\ndef f(): pass",
    "mail a@b.com",
    "@angular/core 与 @types/node",
    "@media screen { }",
    "@Override public void f()",
    "@article{x, title=1}",
    "价格@5元",
    "`@bob` 与\n```\n@bob\n```",
    "git@github.com:a/b.git",
    "@RestController\npublic class A {}",
    "a @ b",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_what_it_changes(before: str, after: str) -> None:
    assert clean(before, RULE) == after
    assert clean(after, RULE) == after


@pytest.mark.parametrize("text", KEEPS)
def test_what_it_leaves(text: str) -> None:
    assert clean(text, RULE) == text
