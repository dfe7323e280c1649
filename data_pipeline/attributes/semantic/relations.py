"""What two near rows are to each other: decided by their texts, never by the vectors.

| relation | the rows |
|---|---|
| `copy` | are equal but for case, width, blanks, quotes and the punctuation at ends of sentences |
| `other_answer` | ask the same and answer differently: preference material |
| `template` | ask with other numbers: the same exercise, another case of it |
| `translation` | are in two languages |
| `paraphrase` | are none of these: they say the same in other words, if the embedding is right |
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from data_pipeline.attributes.base import text_of

COPY, OTHER_ANSWER, TEMPLATE, TRANSLATION, PARAPHRASE = range(5)
NAMES: Final = ("copy", "other_answer", "template", "translation", "paraphrase")

# Below this share of common words two answers are two answers; above, one answer said twice. Two unrelated Chinese
# answers share about a tenth of their characters, the commonest ones.
ANSWERS_DIFFER = 0.25
ANSWERS_AGREE = 0.8

_SMALL = "二三四五六七八九十两"
_MEASURES = "个只条张本名位种次年月日天岁元块斤米点项步句段首篇部件台辆层页周倍人道题字行分秒万千百亿"
_ENGLISH = {
    word: str(value)
    for value, word in enumerate(
        ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"), start=2
    )
}
# Lone 一 and "one" are articles more often than numbers.
_NUMBER = (
    r"\d+(?:[.,]\d+)*"
    rf"|[零〇一{_SMALL}百千万亿]{{2,}}|第[一{_SMALL}]|[{_SMALL}][{_MEASURES}]"
    rf"|\b(?:{'|'.join(_ENGLISH)})\b"
)
_DIGITS = {character: at for at, character in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}
_WORD = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]|[^\W_\u3400-\u4dbf\u4e00-\u9fff]+")


class Traits(NamedTuple):
    """What is compared of n rows.

    Args:
        text: hash of all turns, uint64 [n].
        prompt: hash of what is not the assistant's, uint64 [n].
        numbers: hash of the prompt's numbers in their order, 0 where there are none, uint64 [n].
        lang: a number per language, -1 where it is unknown, int8 [n].
        answers: the assistant's turns, NFKC and lower case.

    """

    text: np.ndarray
    prompt: np.ndarray
    numbers: np.ndarray
    lang: np.ndarray
    answers: list[str]


def traits_of(rows: pl.DataFrame) -> Traits:
    """Return the traits of rows (`lang, messages`)."""
    texts = rows.select(
        "lang",
        text=_folded(text_of()),
        prompt=_folded(text_of(answers=False)),
        answer=text_of(answers=True).str.normalize("NFKC").str.to_lowercase(),
        # Blanks set numbers apart ("3 5" is not "35"), so these are found before the blanks go.
        numbers=text_of(answers=False).str.normalize("NFKC").str.to_lowercase().str.extract_all(_NUMBER),
    )
    values = {form: number_value(form) for form in texts["numbers"].explode().drop_nulls().unique().to_list()}
    same = {form: value for form, value in values.items() if form != value}
    numbers = texts["numbers"].list.eval(pl.element().replace(same)).list.join(" ")
    languages = {name: at for at, name in enumerate(("zh", "en", "other"))}
    return Traits(
        text=texts["text"].hash().to_numpy(),
        prompt=texts["prompt"].hash().to_numpy(),
        numbers=np.where((numbers == "").to_numpy(), np.uint64(0), numbers.hash().to_numpy()),
        lang=texts["lang"].replace_strict(languages, default=-1, return_dtype=pl.Int8).to_numpy(),
        answers=texts["answer"].to_list(),
    )


def _folded(text: pl.Expr) -> pl.Expr:
    """Return the expression that leaves out what does not make two rows different."""
    folded = text.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"[.,;:!?]+(?:\s+|$)", " ")
    folded = folded.str.replace_all(r"(\p{Han})[.,;:!?]+", "${1}")
    return folded.str.replace_all(r"[\s\"'“”‘’、。…《》「」]+", "")


def number_value(form: str) -> str:
    """Return a number as digits: `1,000` → 1000, `三十二` → 32, `第三` → 3, `five` → 5."""
    if form in _ENGLISH:
        return _ENGLISH[form]
    if form[0].isdecimal():
        return form.replace(",", "")
    digits = form.strip("第")
    if digits[-1] in _MEASURES and digits[-1] not in _UNITS:
        digits = digits[:-1]
    return str(_chinese(digits))


def _chinese(text: str) -> int:
    """Return the value of Chinese numerals: 三百零五 is 305, 二〇二四 is 2024."""
    # _UNITS rises: the greatest unit in the text cuts it.
    unit = next((unit for unit in reversed(_UNITS) if unit in text), None)
    if unit is None:
        return int("".join(str(_DIGITS[character]) for character in text) or "0")
    before, _, after = text.partition(unit)
    return _chinese(before or "一") * _UNITS[unit] + _chinese(after)


class Relations(NamedTuple):
    """What pairs of rows are to each other, and which relations remove a row."""

    traits: Traits
    removing: frozenset[int]

    def quick(self, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return the relation of pairs as far as hashes tell, int8 [pairs]."""
        traits = self.traits
        found = np.full(len(rows), PARAPHRASE, dtype=np.int8)
        lang, other_lang = traits.lang[rows], traits.lang[others]
        found[(lang >= 0) & (other_lang >= 0) & (lang != other_lang)] = TRANSLATION
        numbers, other_numbers = traits.numbers[rows], traits.numbers[others]
        found[(numbers != other_numbers) & (numbers != 0) & (other_numbers != 0)] = TEMPLATE
        found[traits.prompt[rows] == traits.prompt[others]] = OTHER_ANSWER
        found[traits.text[rows] == traits.text[others]] = COPY
        return found

    def hopeful(self) -> np.ndarray:
        """Return for each relation whether such a pair may yet remove a row, bool [relations]."""
        unsure = {PARAPHRASE, OTHER_ANSWER}
        reach = self.removing | (unsure if self.removing & unsure else set())
        return np.isin(np.arange(len(NAMES)), list(reach))

    def closer(self, relation: int, row: int, other: int) -> int:
        """Return the relation after a look at both answers.

        A paraphrase of the question with another answer is `other_answer`; the same question with nearly the same
        answer, numbers included, is a `paraphrase`.
        """
        one, two = self.traits.answers[row], self.traits.answers[other]
        if relation == PARAPHRASE and (one or two) and common_words(one, two) < ANSWERS_DIFFER:
            return OTHER_ANSWER
        if relation == OTHER_ANSWER and common_words(one, two) >= ANSWERS_AGREE:
            return PARAPHRASE if re.findall(_NUMBER, one) == re.findall(_NUMBER, two) else OTHER_ANSWER
        return relation


def common_words(one: str, other: str) -> float:
    """Return the Jaccard similarity of the words, and Chinese characters, of two texts; 1 when neither has any."""
    here, there = set(_WORD.findall(one)), set(_WORD.findall(other))
    return len(here & there) / len(here | there) if here | there else 1.0
