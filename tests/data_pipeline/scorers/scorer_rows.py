"""Labelled rows in two languages, in which the label can be read off the wording but not off the length."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

_HARD_EN = (
    "Prove that {} is stable",
    "Derive a formula for {}",
    "Analyze the paradox of {}",
    "Refute the theory of {}",
)
_EASY_EN = ("Name a colour of {}", "Spell the word {} now", "List two kinds of {}", "Count the letters of {}")
_HARD_ZH = ("证明{}是稳定的", "推导{}的公式是", "分析{}的悖论吧", "反驳{}的理论吧")
_EASY_ZH = ("说出{}的颜色吧", "写出{}这个词吧", "列出两种{}来吧", "数一数{}的字数")
_THINGS_EN = ("apples", "rivers", "clouds", "engines", "markets", "violins", "bridges", "planets", "forests", "mirrors")
_THINGS_ZH = ("苹果", "河流", "云彩", "引擎", "市场", "小提琴", "桥梁", "行星", "森林", "镜子")


def rows() -> list[dict[str, Any]]:
    """160 rows: hard (1) and easy (0), half English, half Chinese."""
    found = []
    for label, english, chinese in ((1, _HARD_EN, _HARD_ZH), (0, _EASY_EN, _EASY_ZH)):
        for forms, things, answer in ((english, _THINGS_EN, "Well, {}."), (chinese, _THINGS_ZH, "好的,{}。")):
            for form, thing in itertools.product(forms, things):
                row = {"instruction": form.format(thing), "input": "", "output": answer.format(thing), "label": label}
                found.append(row)
    return found


def written(path: Path, some: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in some), encoding="utf-8")
    return path
