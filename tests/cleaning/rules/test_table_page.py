"""Pages of short cells."""

from __future__ import annotations

import pytest

from tests.support.cleaning import batch_of, measured

CITIES = "北京、上海、广州、深圳、杭州、南京、成都、重庆、武汉、西安、"
PRICES = "苹果\n3.5 元\n香蕉\n2 元\n橙子\n4 元\n葡萄\n8 元\n西瓜\n1 元\n"
MENU = "首页，新闻，体育，财经，娱乐，汽车，房产，教育，科技，健康，"
PROSE = "今天天气很好，我们去公园散步，看到了很多花，还遇到了老朋友，聊了很久才回家。"
CODE = "x = 1\ny = 2\nfor i in a:\n    x += i\n    y *= i\n"
VERSE = "床前明月光，疑是地上霜。举头望明月，低头思故乡。\n"
WEAK = {"rule": "table_page", "weak": True}


@pytest.mark.parametrize(
    "text", [CITIES * 3, PRICES * 3, "标题\n" + CITIES * 4, CITIES * 4 + "\n" + PROSE, "甲\n" * 40]
)
def test_cells_are_dropped(text: str) -> None:
    value, drop = measured(text, "table_page")
    assert drop
    assert value < 10


@pytest.mark.parametrize("text", [MENU * 3, CITIES * 3, "甲\n" * 40, MENU * 2 + CITIES * 2, "一，二，三，四，五，" * 6])
def test_weak_cuts_at_commas_too(text: str) -> None:
    assert measured(text, WEAK)[1]


@pytest.mark.parametrize("rule", ["table_page", WEAK])
@pytest.mark.parametrize(
    "text",
    [
        PROSE * 10,
        VERSE * 10,
        "| 甲 | 乙 |\n|---|---|\n" + "| 1 | 2 |\n" * 40,
        "```python\n" + CODE * 10 + "```",
        "int f() {\n  a = 1;\n  b = 2;\n}\n" * 10,  # code without a fence
        "“好。”\n“走吧。”\n“等等！”\n" * 10,
        CITIES,
        "",
        "The weather is fine today, and we went to the park.\n" * 20,
    ],
)
def test_prose_verse_dialogue_code_and_grids_stay(text: str, rule: str | dict[str, object]) -> None:
    assert not measured(text, rule)[1]


def test_outliers_do_not_save_a_table() -> None:
    assert measured(CITIES * 4 + "\n" + PROSE.replace("，", "") * 6, "table_page")[1]


def test_numbers_are_parameters_and_questions_are_not_measured() -> None:
    assert not measured(CITIES * 3, {"rule": "table_page", "mean": 2})[1]
    assert not measured(CITIES * 3, {"rule": "table_page", "pieces": 50})[1]
    row = {"instruction": CITIES * 3, "input": "", "output": "好。"}
    assert batch_of([row], "alpaca", "table_page").values["drop"].to_list() == [False]
