"""Each rule by what it must change and what it must leave alone; then all of them together."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cleaning.rules
from cleaning.batch import apply_policy, read_texts
from cleaning.personal.check_digits import is_cn_id
from cleaning.policy import find_policy, load_policy, rule_from
from cleaning.rules import Rule
from tests.support.cleaning import clean
from utils.data.formats import format_named
from utils.data.reading import RawRow
from utils.errors import UserError

CHANGES = {
    "valid_characters": [
        ("a\u200bb\u202ec\ue000d\u0378e\u00adf\ufeff", "abcdef"),
        ("one\u2028two\x0bthree", "one\ntwo\nthree"),
        ("bell\x07 gone", "bell gone"),
        ("x\u200dy", "xy"),
        ("（30\uf02b40）\uf03d70", "（30+40）=70"),
    ],
    "html": [
        ("para<br/>next<p class='x'>three</p>", "para\nnext\nthree"),
        ('<b>bold</b> and <SPAN style="a:b">s</SPAN>', "bold and s"),
        ("a &lt; b &amp;&nbsp;c &#39;d&#x27;", "a < b & c 'd'"),
        ("&amp;lt;", "&lt;"),
        ("x<!-- advert -->y<script>if(a<b)c()</script>z", "xyz"),
    ],
    "personal_data": [
        ("write to a.b+c@mail-demo.co.uk.", "write to <email>."),
        ("电话：13800138000，谢谢", "电话：<phone>，谢谢"),
        ("+86 138-0013-8000", "<phone>"),
        ("身份证11010519491231002X。", "身份证<cn_id>。"),
    ],
    "blank_lines": [
        ("a\r\nb\rc", "a\nb\nc"),
        ("a  \nb\t\n", "a\nb"),
        ("\n\na\n \n\n\nb\u3000\n", "a\n\nb"),
    ],
}

KEEPS = {
    "valid_characters": [
        "× ÷ ≥ ℃ é α\tβ\nかな カナ 한국",
        "👍🏽 👨\u200d👩\u200d👧 ❤️",
        "می\u200cخواهم क्\u200dष",
        "中文，标点。",
    ],
    "html": [
        "若a<b且c>d",
        "x < 3 and y > 5",
        "List<int> and Map<String, Integer>",
        "x<a and b>c",
        "if a<b>c then",
        "AT&T &foo; R&D",
        "<email> <noinput> <占位>",
        "`<b>` and ```\n<div>&lt;</div>\n```",
        "$a<b$ and $b>c$",
    ],
    "personal_data": [
        "3.14159265358979",
        "110105194912310021",
        "订单号 1380013800012 共 2 件",
        "13800138000 + 1",
        "0.13800138000",
        "git@github.com:someone/thing.git",
        "@property def a(self)",
        "`a@b.com`",
    ],
    "blank_lines": ["a\n\nb", "  indented\n\tcode", "```\na  \n\n\n\nb\n```", "x `a  b`  y", "　　段首缩进"],
}


@pytest.mark.parametrize(("rule", "before", "after"), [(r, b, a) for r, pairs in CHANGES.items() for b, a in pairs])
def test_rule_changes(rule: str, before: str, after: str) -> None:
    assert clean(before, rule) == after


@pytest.mark.parametrize(("rule", "text"), [(r, text) for r, texts in KEEPS.items() for text in texts])
def test_rule_leaves_alone(rule: str, text: str) -> None:
    assert clean(text, rule) == text


PROTECTED = [
    "```python\nx = '<b>&lt;'  \n\n\n\n13800138000\u200b\n```",
    "`<i>a</i>  13800138000`",
    "$a_1<b>c</b>$",
    "$$\na  \n\n\n<b>b</b>\n$$",
    r"\(x <b>y</b>\)",
    "\\[\n<b>z</b>  \n\\]",
    "| a <b>b</b>  | c |\n|---|---|\n| 1380013 | \u200b |",
]


@pytest.mark.parametrize("span", PROTECTED)
def test_no_editing_rule_enters_a_protected_span(span: str) -> None:
    dirt = f"<b>前</b>\u200b 13800138000\n\n{span}\n\n<i>after</i>\u200b"
    assert clean(dirt, *CHANGES) == f"前 <phone>\n\n{span}\n\nafter"


def test_an_edit_that_would_change_what_is_protected_is_not_made() -> None:
    assert clean("`\u200b`\u200b`", "valid_characters") == "`\u200b`\u200b`"


def test_rows_about_markup_are_left_alone_as_a_whole() -> None:
    rule = {"rule": "html", "unless_row_has": "(?i)html"}
    row = RawRow(0, 0, b"{}", {"instruction": "HTML 中如何加粗？", "output": "<b>字</b>"}, None)
    other = RawRow(1, 0, b"{}", {"instruction": "加粗", "output": "<b>字</b>"}, None)
    batch = apply_policy(read_texts([row, other], format_named("alpaca")), [rule_from(rule)])
    assert batch.texts["text"].to_list()[1::2] == ["<b>字</b>", "字"]


def test_minimum_length_measures_apart_from_its_threshold() -> None:
    rows = [
        {"instruction": "q", "output": " a b\n"},
        {"instruction": "q", "output": "  "},
        {"instruction": "q", "output": ""},
    ]
    raws = [RawRow(i, 0, b"{}", row, None) for i, row in enumerate(rows)]
    batch = read_texts(raws, format_named("alpaca"))
    for least, drop in ((1, [False, True, True]), (3, [True, True, True])):
        found = apply_policy(batch, [rule_from({"rule": "minimum_length", "characters": least})]).values
        assert found["value"].to_list() == [2.0, 0.0, 0.0]
        assert found["drop"].to_list() == drop


def test_check_digit_of_the_standards_own_example() -> None:
    assert is_cn_id("11010519491231002X")  # GB 11643-1999, annex A
    assert not is_cn_id("110105194912310021")
    assert not is_cn_id("11010519491331002X")


ALPHABET = st.sampled_from(
    [*list("ab 1.\n\r\t`$|<>/&;-@中。，\u3000é"), "中\u200b文", "<b>", "</b>", "```", "\n\n\n", "&lt;", "13800138000"]
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(ALPHABET, max_size=40).map("".join))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    """But for entities, of which one layer is taken off each time by design.

    Invisible characters between marks of code or formulas are not drawn here: one rule may then leave them alone, and
    what a later rule does may free them.
    """
    rules = load_policy(find_policy("default-instruction")).rules
    row = [{"text": text.replace("&", "")}]
    results = []
    for _ in range(2):
        batch = apply_policy(read_texts([RawRow(0, 0, b"{}", row[0], None)], format_named("document")), rules)
        row = [{"text": batch.texts["text"][0]}]
        results.append(row[0]["text"])
    assert results[0] == results[1]


def test_a_batch_gives_what_its_rows_give_alone() -> None:
    texts = [text for pairs in CHANGES.values() for text, _ in pairs] + [
        text for kept in KEEPS.values() for text in kept
    ]
    rows = [RawRow(i, 0, b"{}", {"text": text}, None) for i, text in enumerate(texts)]
    rules = [rule_from({"rule": rule}) for rule in CHANGES]
    together = apply_policy(read_texts(rows, format_named("document")), rules).texts["text"].to_list()
    assert together == [clean(text, *CHANGES) for text in texts]


def test_every_rule_has_one_file_and_one_line_in_the_union() -> None:
    files = {path.stem for path in Path(cleaning.rules.__file__).parent.glob("*.py")} - {"__init__", "base"}
    union = get_args(get_args(Rule)[0])
    assert {kind.model_fields["rule"].default for kind in union} == files
    assert {kind.__module__.rpartition(".")[2] for kind in union} == files


def test_policy_errors_name_the_place_and_the_nearest(tmp_path: Path) -> None:
    policy = tmp_path / "mine.yaml"
    policy.write_text("rules:\n  - rule: html\n    unless_row_hs: x\n")
    with pytest.raises(UserError, match=r"mine.yaml:3.*unless_row_has"):
        load_policy(policy)
    with pytest.raises(UserError, match="nearest: default-zh"):
        find_policy("defaul-zh")
    policy.write_text("rules:\n  - rule: html\n    unless_row_has: '(a)\\1'\n")
    with pytest.raises(UserError, match="linear-time"):
        load_policy(policy)


def test_no_rule_is_slow_on_long_hostile_texts() -> None:
    for piece in ("<a ", "| a ", "`", "$x ", "\\(", "a@b.", "&#", " \n", "```\n", "<!--", "<script>", "~~~\n"):
        clean(piece * 20_000, *CHANGES)
