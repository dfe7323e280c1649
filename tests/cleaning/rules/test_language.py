"""Rows in a language that nobody asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cleaning.policy import rule_from
from cleaning.prose import languages
from cleaning.scan import Scanner
from cleaning.texts import Texts
from tests.support.cleaning import measured
from utils.data.language import language_of

FRENCH = "La ville de Paris est la capitale de la France et compte plus de deux millions d'habitants depuis longtemps."
GERMAN = "Der schnelle braune Fuchs springt über den faulen Hund und geht danach wieder nach Hause zu seiner Familie."
ENGLISH = "The quick brown fox jumps over the lazy dog and then it goes home to sleep with the rest of its family."
CHINESE = "敏捷的棕色狐狸跳过了懒狗，然后回家和家人一起睡觉，第二天又出发了。"
RUSSIAN = "Быстрая коричневая лиса прыгает через ленивую собаку и потом возвращается домой к своей семье."
JAPANESE = "素早い茶色の狐がのろまな犬を飛び越えて、それから家に帰って家族と一緒に眠りました。"
KEYWORDS = "Stainless steel water bottle, vacuum insulated, leakproof lid, hiking, camping, office, school, travel mug"


@pytest.mark.parametrize("text", [FRENCH, GERMAN, RUSSIAN, JAPANESE, FRENCH + "\n`x = 1`"])
def test_other_languages_are_dropped(text: str) -> None:
    value, drop = measured(text, "language")
    assert drop
    assert value < 0.81


@pytest.mark.parametrize(
    "text",
    [
        ENGLISH,
        CHINESE,
        KEYWORDS,  # English without its little words goes to the classifier
        ENGLISH + CHINESE,
        "",
        "12345 67890",
        "Bonjour !",
        "Спасибо",
        "for (int i = 0; i < n; ++i) { sum += a[i] * b[i]; } return sum / n;",
        "```\nдля каждого элемента списка выполнить действие и вернуть результат\n```",
    ],
)
def test_kept_languages_short_texts_and_code_stay(text: str) -> None:
    assert not measured(text, "language")[1]


@pytest.mark.parametrize(
    ("keep", "text", "drop"),
    [
        (["zh"], ENGLISH, True),
        (["zh"], CHINESE, False),
        (["en"], CHINESE, True),
        (["fr"], FRENCH, False),
        (["fr"], ENGLISH, True),
        (["zh", "en", "other"], RUSSIAN, False),
        (["zh"], "```python\n" + ENGLISH + "\n```", False),
    ],
)
def test_what_is_kept_is_a_parameter(keep: list[str], text: str, drop: bool) -> None:
    assert measured(text, {"rule": "language", "keep": keep})[1] is drop


def test_share_of_a_script() -> None:
    half = "中文" * 10 + "and some English words that weigh as much here"
    assert measured(half, {"rule": "language", "keep": ["zh"], "share": 0.7})[1]
    assert not measured(half, {"rule": "language", "keep": ["zh"], "share": 0.5})[1]


def test_unknown_languages_are_refused() -> None:
    with pytest.raises(ValidationError, match="xx cannot be told"):
        rule_from({"rule": "language", "keep": ["xx"]})


MIXED = st.text(st.sampled_from("中文字ab ZéКи한あ1.。ｱＡ𠀀"), max_size=80)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.lists(MIXED, min_size=1, max_size=5))
def test_scripts_are_those_of_the_rest_of_the_project(texts: list[str]) -> None:
    size = len(texts)
    columns = Texts([{}] * size, np.arange(size), [0] * size, ["document"] * size, texts, Scanner([]).scan(texts))
    assert languages(columns).tolist() == [language_of(text) for text in texts]
