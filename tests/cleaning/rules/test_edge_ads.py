"""Sentences of advertising go at the ends of a page, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cleaning import clean

RULE = "edge_ads"

CHANGES = [
    (
        "点击上方“蓝字”关注我们。今天讲讲番茄。种番茄要有耐心。首先选种。然后浇水。最后收获。觉得不错请转发。长按二维码关注。",
        "今天讲讲番茄。种番茄要有耐心。首先选种。然后浇水。最后收获。",
    ),
    ("欢迎关注我们\n\n第一段。第二段。第三段。第四段。", "第一段。第二段。第三段。第四段。"),
    ("第一段。第二段。第三段。第四段。\n往期推荐\n番茄的一生", "第一段。第二段。第三段。第四段。"),
    ("一句。欢迎关注公众号。三句。四句。五句。六句。", "三句。四句。五句。六句。"),
    ("一。二。三。四。\n微信号: abc", "一。二。三。四。"),
]

KEEPS = [
    "今天讲讲番茄。种番茄要有耐心。",
    "一句。两句。三句。四句。欢迎关注公众号。六句。七句。八句。九句。",
    "他说：“欢迎关注公众号。后来呢？”他笑了。后来。再后来。最后。",
    "任何未经授权的访问都是违法的。请遵守法律。",
    "我觉得不错，但是太贵了。可以考虑。",
    "`欢迎关注`。一。二。三。",
    "欢迎关注很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文很长的正文。二。三。",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_what_it_changes(before: str, after: str) -> None:
    assert clean(before, RULE) == after
    assert clean(after, RULE) == after


@pytest.mark.parametrize("text", KEEPS)
def test_what_it_leaves(text: str) -> None:
    assert clean(text, RULE) == text


def test_a_cut_never_parts_a_quotation_nor_touches_code() -> None:
    assert clean("“长按二维码。后面”还有。二。三。四。", RULE) == "“长按二维码。后面”还有。二。三。四。"
    assert clean("欢迎关注 `x` 的作者。二。三。四。", RULE) == "欢迎关注 `x` 的作者。二。三。四。"


@pytest.mark.parametrize(("k", "left"), [(1, "一。欢迎关注。二。"), (2, "二。")])
def test_so_many_clean_sentences_end_the_walk(k: int, left: str) -> None:
    assert clean("一。欢迎关注。二。", {"rule": "edge_ads", "stop_after": k, "ends": "head"}) == left


def test_tail_only_and_lists_by_name() -> None:
    text = "审判长说了。一。二。三。四。\n审判长 张三\n书记员 李四"
    assert (
        clean(text, {"rule": "edge_ads", "phrases": ["edge_law"], "ends": "tail", "stop_after": 1})
        == "审判长说了。一。二。三。四。"
    )


def test_english_pages() -> None:
    rule = {"rule": "edge_ads", "phrases": ["edge_en"]}
    text = "Click here to get it now! Tomatoes need sun. Water them daily. Pick them red. Follow us on Facebook."
    assert clean(text, rule) == "Tomatoes need sun. Water them daily. Pick them red."
    kept = "Follow the path on the left. Version 2.5 is out, e.g. on disks. We click. Terms differ. All is well."
    assert clean(kept, rule) == kept


BODY = "Tomatoes need sun. Water them daily. Pick them red. Eat them fresh."


@pytest.mark.parametrize(
    "sentence",
    [
        "They promised to publish a privacy policy in spring.",
        "Privacy policy is a matter for lawmakers.",
        "Most members unsubscribe from such letters within a year.",
        "Unsubscribe is what the second button says.",
        "Using it breaks the terms of service of most platforms.",
    ],
)
def test_a_sentence_that_speaks_of_such_a_thing_stays(sentence: str, tmp_path: Path) -> None:
    rule = {"rule": RULE, "phrases": ["edge_en", _own(tmp_path)]}
    for text in (f"{BODY} {sentence}", f"{sentence} {BODY}", f"{BODY}\n\n{sentence}"):
        assert clean(text, rule) == text


@pytest.mark.parametrize(
    "line",
    [
        "Unsubscribe",
        "Please unsubscribe here.",
        "You can unsubscribe at any time.",
        "Privacy Policy | Terms of Service",
        "© 2020 Foo Inc., all rights reserved.",
        "Copyright 2020 Foo All Rights Reserved",
        "If you liked it, don't forget to share this article!",
        "Get 20% off your first order.",
    ],
)
def test_a_line_that_calls_for_it_goes(line: str, tmp_path: Path) -> None:
    rule = {"rule": RULE, "phrases": ["edge_en", _own(tmp_path)], "ends": "tail"}
    assert clean(f"{BODY}\n\n{line}", rule) == BODY


def _own(folder: Path) -> str:
    path = folder / "own.txt"
    path.write_text("unsubscribe\n")
    return str(path)
