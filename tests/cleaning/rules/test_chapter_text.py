"""Contents pages."""

from __future__ import annotations

import pytest

from tests.support.cleaning import measured

NUMERALS = ["一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二"]
BODY = "故事从这里开始，主人公走了很远的路，遇到了许多人。" * 12


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"第{n}章 标题" for n in NUMERALS),
        " ".join(f"第{n}章：标题" for n in NUMERALS),
        "目录\n" + "\n".join(f"第{i}章 标题 …… {i * 10}" for i in range(1, 30)),
        "\n".join(f"# 第{n}章" for n in NUMERALS),
        "\n".join(f"Chapter {i}" for i in range(1, 15)),
        "\n".join(f"第{n}回 某某大闹某某" for n in NUMERALS),
    ],
)
def test_contents_pages_are_dropped(text: str) -> None:
    value, drop = measured(text, "chapter_text")
    assert drop
    assert value >= 5


@pytest.mark.parametrize(
    "text",
    [
        "研究表明如此（一）。" + "".join(f"文献引用（{n}）说明了问题。" for n in NUMERALS),  # the original's (N)
        "".join(f"[{i}] 作者. 题目. 期刊, 2020.\n" for i in range(1, 13)),
        "\n".join(f"第{n}章 标题\n{BODY}" for n in NUMERALS),  # a novel
        "依照本法第三章的规定，参照第四章第五节，" * 20,
        "第一章 绪论\n" + BODY,
        "The first chapter of the book is about chapter 2. " * 20,
        "",
    ],
)
def test_novels_and_references_stay(text: str) -> None:
    assert not measured(text, "chapter_text")[1]
