"""Degenerate answers, by hand."""

from __future__ import annotations

import pytest

from data_pipeline.candidates.flags import constant_answers, distinct_share, flags_of

PROSE = (
    "Several actors began on Broadway before film and television made them known to everybody in the country at large."
)


@pytest.mark.parametrize(
    ("text", "finish_reason", "flags"),
    [
        (PROSE, "stop", []),
        (" \n\t", "stop", ["empty"]),
        (PROSE, "length", ["cut"]),
        ("who  BEGAN on Broadway? ", None, ["copy_of_prompt"]),
        ("the same again " * 20, "length", ["cut", "repetition"]),
        ("哈" * 200, None, ["repetition"]),
        ("no no no no", None, []),  # too short to tell
    ],
)
def test_flags(text: str, finish_reason: str | None, flags: list[str]) -> None:
    assert flags_of("Who began on Broadway?", text, finish_reason) == flags


def test_distinct_share_by_hand() -> None:
    # 101 characters "aaaa…" have 92 grams of ten, one distinct
    assert distinct_share("a" * 101) == pytest.approx(1 / 92)


def test_one_answer_for_many_prompts() -> None:
    constant = [("null", f"p{i}", " same\ntext") for i in range(20)]
    honest = [("good", f"p{i}", "yes" if i < 10 else f"answer {i}") for i in range(20)]  # half of them is not more
    few = [("few", f"p{i}", "x") for i in range(19)]
    assert constant_answers([*constant, *honest, *few]) == {("null", "same text")}
