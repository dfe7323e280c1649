"""Texts and rows through rules, as a run would put them through."""

from __future__ import annotations

from typing import Any

from cleaning.batch import Batch, apply_policy, read_texts
from cleaning.policy import rule_from
from utils.data.formats import format_named
from utils.data.reading import RawRow

Given = str | dict[str, Any]


def batch_of(rows: list[dict[str, Any]], fmt: str, *rules: Given) -> Batch:
    """Return rows of a format after rules, given by name or as parameters."""
    raws = [RawRow(number, 0, b"{}", row, None) for number, row in enumerate(rows)]
    chosen = [rule_from({"rule": rule} if isinstance(rule, str) else rule) for rule in rules]
    return apply_policy(read_texts(raws, format_named(fmt)), chosen)


def clean_all(texts: list[str], *rules: Given) -> list[str]:
    """Return documents after rules."""
    cleaned: list[str] = batch_of([{"text": text} for text in texts], "document", *rules).texts["text"].to_list()
    return cleaned


def clean(text: str, *rules: Given) -> str:
    """Return one document after rules."""
    return clean_all([text], *rules)[0]


def measured(text: str, rule: Given) -> tuple[float, bool]:
    """Return a document's number under a measuring rule, and whether it is dropped."""
    values = batch_of([{"text": text}], "document", rule).values
    return values["value"][0], values["drop"][0]
