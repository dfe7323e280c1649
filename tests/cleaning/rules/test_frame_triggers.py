"""A text without a rule's trigger is one that the rule would not change: what the scan skips, it may skip."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaning.policy import rule_from
from cleaning.rules.base import EditRule, Segments
from cleaning.scan import Scanner
from tests.cleaning.rules import (
    test_author_claims,
    test_contact_lines,
    test_edge_ads,
    test_head_words,
    test_lottery,
    test_markdown_images,
    test_mentions,
    test_personal_data,
    test_platform_counts,
    test_reference_section,
    test_url,
    test_wiki_references,
)

CASES = {
    "personal_data": test_personal_data.CHANGES,
    **{
        module.__name__.rpartition("test_")[2]: module.CHANGES
        for module in (
            test_author_claims, test_contact_lines, test_edge_ads, test_head_words, test_lottery, test_markdown_images,
            test_mentions, test_platform_counts, test_reference_section, test_url, test_wiki_references,
        )
    },
}  # fmt: skip
RULES: list[dict[str, Any]] = [
    *({"rule": rule} for rule in CASES),
    {"rule": "wiki_references", "footnotes": True},
    {"rule": "url", "action": "replace"},
    {"rule": "html"},
    {"rule": "html", "to": "markdown"},
]

HOSTILE = (
    "![", "[a](", "@a ", "//@", "点赞 1 ", "作者：张 ", "抽1位", "转发抽", "微信号：a", "参考文献\n1. a\n", "[1]",
    "。[1]", "pp=1,", "概述", "\n", " ", "欢迎关注。", "<p>", "<ul><li>", "http://a", "(", "《", "1 ",
)  # fmt: skip


def _pieces(rule: str) -> list[str]:
    """Return the rule's own cases cut into bits, so that what is drawn comes near to what it changes."""
    texts = [before for before, _ in CASES.get(rule, [("<p>a</p> &lt; <b> <!-- x -->", "")])]
    return sorted({text[at : at + size] for text in texts for size in (1, 2, 4, 9) for at in range(0, len(text), size)})


def _is_triggered(rule: EditRule, text: str) -> bool:
    if not Scanner([rule.trigger]).scan([text]).signs[0]:
        return False
    return rule.trigger.pattern is None or bool(pl.Series([text]).str.contains(rule.trigger.pattern)[0])


@pytest.mark.parametrize("given_rule", RULES, ids=str)
def test_no_change_without_trigger(given_rule: dict[str, Any]) -> None:
    rule = rule_from(given_rule)
    assert isinstance(rule, EditRule)

    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(st.lists(st.sampled_from(_pieces(rule.rule)), min_size=1, max_size=8).map("".join))
    def check(text: str) -> None:
        after = rule.apply(Segments([text], [True], [True], [0], [{}], ["user"])).texts[0]
        assert after == text or _is_triggered(rule, text)

    check()


@pytest.mark.parametrize("given_rule", RULES, ids=str)
def test_long_hostile_texts_are_quick(given_rule: dict[str, Any]) -> None:
    rule = rule_from(given_rule)
    assert isinstance(rule, EditRule)
    for piece in HOSTILE:
        text = piece * (20_000 // len(piece))
        rule.apply(Segments([text], [True], [True], [0], [{}], ["user"]))
