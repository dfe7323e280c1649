"""Rows that are too short, in characters or tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from cleaning.policy import rule_from
from tests.support.cleaning import batch_of, measured

ROWS = [
    {"data": ["q", "一二三", "q", "一二三四五"]},
    {"data": ["q", "", "", "一二三四五"]},
    {"data": ["q", "", "q", " \n"]},
]


def lengths(**parameters: object) -> tuple[list[float], list[bool]]:
    values = batch_of(ROWS, "data_list", {"rule": "minimum_length", **parameters}).values
    return values["value"].to_list(), values["drop"].to_list()


def test_each_answer_or_all_together() -> None:
    assert lengths() == ([3, 0, 0], [False, True, True])
    assert lengths(answers="together") == ([8, 5, 0], [False, False, True])
    assert lengths(answers="together", characters=6) == ([8, 5, 0], [False, True, True])


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("中文字符", 2), ("English text", 3), ("", 0), ("a" * 400, 100), ("中" * 100, 65), ("中 a b c", 2)],
)
def test_tokens_by_the_estimate(text: str, tokens: int) -> None:
    assert measured(text, {"rule": "minimum_length", "tokens": tokens + 1}) == (tokens, True)
    assert not measured(text, {"rule": "minimum_length", "tokens": max(tokens, 1)})[1] or tokens == 0


def test_tokens_by_a_tokenizer(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0, "a": 1, "b": 2}, unk_token="[UNK]"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words.save(str(tmp_path / "tokenizer.json"))
    rule = {"rule": "minimum_length", "tokens": 4, "tokenizer": str(tmp_path / "tokenizer.json")}
    assert measured("a b c", rule) == (3, True)
    assert measured("a b c d", rule) == (4, False)


def test_one_measure_only() -> None:
    for wrong in ({"characters": 1, "tokens": 1}, {"tokenizer": "x"}):
        with pytest.raises(ValidationError):
            rule_from({"rule": "minimum_length", **wrong})
