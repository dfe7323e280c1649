"""What a row says of itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from cleaning.policy import rule_from
from tests.support.cleaning import batch_of

ENGAGEMENT = {"rule": "field", "fields": ["likes", "collects", "shares", "stats.comments"], "at_most": 10}


def judged(row: dict[str, Any], rule: dict[str, Any]) -> tuple[float, bool]:
    values = batch_of([{"content": "x"}, {**row, "content": "文"}], "document", rule).values
    assert values["drop"][0] is False
    return values["value"][1], values["drop"][1]


@pytest.mark.parametrize(
    ("row", "total"),
    [
        ({"likes": 3, "collects": 2, "shares": 1, "stats": {"comments": 4}}, 10),
        ({"likes": "3", "collects": 0}, 3),
        ({"likes": 0}, 0),
        ({"likes": "1", "collects": "many"}, 1),
        ({"stats": {"comments": 10.0}}, 10),
    ],
)
def test_few_are_dropped(row: dict[str, Any], total: float) -> None:
    assert judged(row, ENGAGEMENT) == (total, True)


@pytest.mark.parametrize(
    ("row", "total"),
    [
        ({"likes": 3, "collects": 8}, 11),
        ({"likes": "1.2万"}, 12_000),
        ({"likes": "3,000+"}, 3_000),
        ({"likes": "2k", "collects": None}, 2_000),
        ({"likes": "many"}, np.nan),
        ({"likes": True}, np.nan),
        ({"other": 1}, np.nan),
    ],
)
def test_many_or_unknown_stay(row: dict[str, Any], total: float) -> None:
    value, drop = judged(row, ENGAGEMENT)
    assert not drop
    assert value == total or (np.isnan(total) and np.isnan(value))


@pytest.mark.parametrize(
    ("rule", "row", "drop"),
    [
        ({"fields": ["dataType"], "equals": ["百科"]}, {"dataType": "百科"}, True),
        ({"fields": ["dataType"], "equals": ["百科"]}, {"dataType": " 百科 "}, True),
        ({"fields": ["dataType"], "equals": ["百科"]}, {"dataType": "百科问答"}, False),
        ({"fields": ["dataType"], "equals": ["百科"]}, {}, False),
        ({"fields": ["url"], "pattern": r"^https?://baike\."}, {"url": "https://baike.example.com"}, True),
        ({"fields": ["url"], "pattern": r"^https?://baike\."}, {"url": "https://news.example.com"}, False),
        ({"fields": ["score"], "at_least": 5}, {"score": 5}, True),
        ({"fields": ["score"], "at_least": 5}, {"score": 4.9}, False),
        ({"fields": ["a", "b"], "equals": ["x"]}, {"a": "y", "b": "x"}, True),
    ],
)
def test_texts_and_least_numbers(rule: dict[str, Any], row: dict[str, Any], drop: bool) -> None:
    assert judged(row, {"rule": "field", **rule})[1] is drop


@pytest.mark.parametrize("wrong", [{}, {"at_most": 1, "equals": ["a"]}, {"fields": [], "at_most": 1}])
def test_a_rule_says_one_thing(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        rule_from({"rule": "field", "fields": ["a"], **wrong})
