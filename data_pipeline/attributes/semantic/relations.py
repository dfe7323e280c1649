"""What two near rows are to each other: decided by their texts, never by the vectors.

| relation | the rows |
|---|---|
| `copy` | are equal but for case, width, blanks, quotes and the punctuation at ends of sentences |
| `other_answer` | ask the same and answer differently: preference material |
| `template` | ask in nearly the same words about something else: other numbers, another name, a negation |
| `translation` | are in two languages |
| `paraphrase` | are none of these: they say the same in other words, if the embedding is right |
"""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from data_pipeline.attributes.base import text_of
from data_pipeline.attributes.semantic import contrast
from data_pipeline.attributes.semantic.numbers import NUMBER, number_value, numbers_in, without_idioms

COPY, OTHER_ANSWER, TEMPLATE, TRANSLATION, PARAPHRASE = range(5)
NAMES: Final = ("copy", "other_answer", "template", "translation", "paraphrase")

# Below this share of common words two answers are two answers; above, one answer said twice. Two unrelated Chinese
# answers share about a tenth of their characters, the commonest ones.
ANSWERS_DIFFER = 0.25
ANSWERS_AGREE = 0.8
_MUCH_ALIKE = 0.6  # such answers are not those to a question and its negation
_LABEL = 4  # words: such an answer is a label or a name, and another one is another answer
_SHORT = 30  # words: what is negated or numbered otherwise in so short an answer makes it another one


class Traits(NamedTuple):
    """What is compared of n rows.

    Args:
        text: hash of all turns, uint64 [n].
        prompt: hash of what is not the assistant's, 0 where nothing is, uint64 [n].
        numbers: hash of the prompt's numbers in their order, 0 where there are none, uint64 [n].
        amounts: the same of the numbers sorted, uint64 [n].
        frame: hash of the prompt without its numbers, 0 where there are none, uint64 [n].
        lang: a number per language, -1 where it is unknown, int8 [n].
        prompts: what is not the assistant's.
        answers: the assistant's turns.

    """

    text: np.ndarray
    prompt: np.ndarray
    numbers: np.ndarray
    amounts: np.ndarray
    frame: np.ndarray
    lang: np.ndarray
    prompts: list[str]
    answers: list[str]


def traits_of(rows: pl.DataFrame) -> Traits:
    """Return the traits of rows (`lang, messages`)."""
    texts = rows.select(
        "lang", text=text_of(), prompts=text_of(answers=False), answers=text_of(answers=True)
    ).with_columns(counting=without_idioms(pl.col("prompts").str.normalize("NFKC").str.to_lowercase()))
    # Blanks set numbers apart ("3 5" is not "35"), so these are found before the blanks go.
    found = texts.select(pl.col("counting").str.extract_all(NUMBER))["counting"]
    values = {form: number_value(form) for form in found.explode().drop_nulls().unique().to_list()}
    same = {form: value for form, value in values.items() if form != value}
    numbers = found.list.eval(pl.element().replace(same))
    frames = texts.select(_folded(pl.col("counting").str.replace_all(NUMBER, "\ue000")))["counting"]
    none = (numbers.list.len() == 0).to_numpy()
    languages = {name: at for at, name in enumerate(("zh", "en", "other"))}
    return Traits(
        text=texts.select(_folded(pl.col("text")))["text"].hash().to_numpy(),
        prompt=_hashes(texts.select(_folded(pl.col("prompts")))["prompts"], (texts["prompts"] == "").to_numpy()),
        numbers=_hashes(numbers.list.join(" "), none),
        amounts=_hashes(numbers.list.sort().list.join(" "), none),
        frame=_hashes(frames, none),
        lang=texts["lang"].replace_strict(languages, default=-1, return_dtype=pl.Int8).to_numpy(),
        prompts=texts["prompts"].to_list(),
        answers=texts["answers"].to_list(),
    )


def _hashes(texts: pl.Series, nothing: np.ndarray) -> np.ndarray:
    return np.where(nothing, np.uint64(0), texts.hash().to_numpy())


def _folded(text: pl.Expr) -> pl.Expr:
    """Return the expression that leaves out what does not make two rows different."""
    folded = text.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"[.,;:!?]+(?:\s+|$)", " ")
    folded = folded.str.replace_all(r"(\p{Han})[.,;:!?]+", "${1}").str.replace_all(r"[\"'“”‘’、。…《》「」]+", "")
    # A blank between words or numbers stays: "1 2" is not "12".
    return folded.str.replace_all(r"\s*(\p{Han}|[^\w\s])\s*", "${1}").str.replace_all(r"\s+", " ").str.strip_chars()


class Relations(NamedTuple):
    """What pairs of rows are to each other, and which relations remove a row."""

    traits: Traits
    removing: frozenset[int]

    def quick(self, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return the relation of pairs as far as hashes tell, int8 [pairs]."""
        traits = self.traits
        found = np.full(len(rows), PARAPHRASE, dtype=np.int8)
        found[self.templates(rows, others)] = TEMPLATE
        lang, other_lang = traits.lang[rows], traits.lang[others]
        found[(lang >= 0) & (other_lang >= 0) & (lang != other_lang)] = TRANSLATION
        prompt = traits.prompt[rows]
        found[(prompt == traits.prompt[others]) & (prompt != 0)] = OTHER_ANSWER
        found[traits.text[rows] == traits.text[others]] = COPY
        return found

    def templates(self, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return which pairs ask with other numbers, or with the same exchanged in the same words, bool [pairs]."""
        numbers, amounts, frame = self.traits.numbers, self.traits.amounts, self.traits.frame
        counted = (numbers[rows] != 0) & (numbers[others] != 0)
        exchanged = (frame[rows] == frame[others]) & (numbers[rows] != numbers[others])
        return np.asarray(counted & ((amounts[rows] != amounts[others]) | exchanged))

    def hopeful(self) -> np.ndarray:
        """Return for each relation whether such a pair may yet remove a row, bool [relations]."""
        unsure = {PARAPHRASE, OTHER_ANSWER}
        reach = self.removing | (unsure if self.removing & (unsure | {TEMPLATE}) else set())
        return np.isin(np.arange(len(NAMES)), list(reach))

    def closer(self, relation: int, row: int, other: int) -> int:
        """Return the relation after a look at the texts.

        What hashes call a paraphrase may be a question about something else, or have another answer; the same question
        with nearly the same answer is a paraphrase; a translation has the same numbers.
        """
        if relation not in {TRANSLATION, OTHER_ANSWER, PARAPHRASE}:
            return relation
        asked, told = (
            (contrast.text_of(texts[row]), contrast.text_of(texts[other]))
            for texts in (self.traits.prompts, self.traits.answers)
        )
        if relation == TRANSLATION:
            return TEMPLATE if _other_numbers(*asked) else TRANSLATION
        if relation == OTHER_ANSWER:
            return PARAPHRASE if _same_answer(*told) else OTHER_ANSWER
        if asked[0].low == asked[1].low and told[0].low == told[1].low and asked[0].plain == asked[1].plain:
            return PARAPHRASE
        alike = _alike(asked, told)
        if _another_question(asked, told) or contrast.other_case(*asked, told, alike):
            return TEMPLATE
        return PARAPHRASE if alike else OTHER_ANSWER


def _another_question(asked: tuple[contrast.Text, contrast.Text], told: tuple[contrast.Text, contrast.Text]) -> bool:
    """Tell whether two questions differ by a name, a sign, an opposite or a negation.

    A negation with nearly the same answer is one in the wording (睡不着, 失眠).
    """
    if contrast.other_names(*asked) or contrast.other_signs(*asked) or contrast.opposed(*asked):
        return True
    same = min(len(text.low) for text in told) > _LABEL and common_words(*told) >= _MUCH_ALIKE
    return not same and contrast.negated(*asked)


def _other_numbers(one: contrast.Text, other: contrast.Text) -> bool:
    """Tell whether each of two texts has numbers that the other has not."""
    here, there = (Counter(numbers_in(text.plain.lower())) for text in (one, other))
    return bool(here - there) and bool(there - here)


def _same_answer(one: contrast.Text, other: contrast.Text) -> bool:
    """Tell whether two answers to one question are one answer said twice."""
    if common_words(one, other) < ANSWERS_AGREE or min(len(one.low), len(other.low)) <= _LABEL:
        return False
    return numbers_in(one.plain.lower()) == numbers_in(other.plain.lower()) and not contrast.differ(one, other)


def _alike(asked: tuple[contrast.Text, contrast.Text], told: tuple[contrast.Text, contrast.Text]) -> bool:
    """Tell whether answers to two wordings of a question may be one answer.

    Where answers are half of their rows or more, the embedding that finds the rows near has seen them.
    """
    sizes = [len(text.low) for text in told]
    if max(sizes) <= _SHORT and (_other_numbers(*told) or contrast.differ(*told)):
        return False
    if max(sizes) > 0 and min(sizes) <= _LABEL:
        here, there = (set(text.low) for text in told)
        numbers = [Counter(numbers_in(text.plain.lower())) for text in told]
        return here <= there or there <= here or all(numbers)
    seen = all(len(question.low) <= size for question, size in zip(asked, sizes, strict=True))
    return seen or common_words(*told) >= ANSWERS_DIFFER


def common_words(one: contrast.Text, other: contrast.Text) -> float:
    """Return the Jaccard similarity of the words, and Chinese characters, of two texts; 1 when neither has any."""
    here, there = set(one.low), set(other.low)
    return len(here & there) / len(here | there) if here | there else 1.0
