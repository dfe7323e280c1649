"""Rows that their title gives away."""

from __future__ import annotations

import pytest

from tests.support.cleaning import batch_of

RULE = {"rule": "title", "pattern": "疫情最新情况", "table": True}
TABLE = "北京，上海，广州，深圳，杭州，南京，成都，重庆，武汉，西安，" * 3
PROSE = "今天通报了有关情况，各地继续做好防控工作，市民出行请注意安全。" * 5


def drops(rows: list[dict[str, object]], rule: dict[str, object]) -> list[bool]:
    found: list[bool] = batch_of(rows, "document", rule).values["drop"].to_list()
    return found


@pytest.mark.parametrize(
    "title", ["疫情最新情况", "全国疫情最新情况通报", "3 月 5 日疫情最新情况\n", "疫情最新情况！", "【疫情最新情况】"]
)
def test_title_and_table_drop(title: str) -> None:
    assert drops([{"title": title, "content": TABLE}], RULE) == [True]


@pytest.mark.parametrize(
    "row",
    [
        {"title": "全国疫情最新情况通报", "content": PROSE},
        {"title": "城市名单", "content": TABLE},
        {"content": TABLE},
        {"title": None, "content": TABLE},
        {"title": 7, "content": TABLE},
    ],
)
def test_one_without_the_other_stays(row: dict[str, object]) -> None:
    assert drops([row], RULE) == [False]


def test_the_title_alone_when_no_table_is_asked_for() -> None:
    rows: list[dict[str, object]] = [{"name": "广告合作", "content": PROSE}, {"name": "新闻", "content": PROSE}]
    assert drops(rows, {"rule": "title", "pattern": "^广告", "field": "name"}) == [True, False]
