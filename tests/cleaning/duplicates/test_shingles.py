"""Shingles against plain Python."""

from __future__ import annotations

import unicodedata
from itertools import groupby, pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaning.duplicates.shingles import shingle_hashes, shingle_sets
from cleaning.duplicates.words import word_table

# The first call may compile.
COMPILED = settings(deadline=None)

# Characters of one to four bytes, so that every kind of sequence meets every other.
MIXED = st.text(st.sampled_from("ab é\u07ff\u0800你好\uffff\U00010000😀\U0010ffff\x00"), max_size=40)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)

SOLID = "你のก"


def rows(texts: list[str], unit: str = "character", size: int = 5, word_size: int = 3) -> list[list[int]]:
    """Return the 32-bit hashes of each text, after a look at the 64-bit ones."""
    offsets, values = shingle_hashes(texts, unit, size, word_size)
    assert (offsets.dtype, values.dtype, offsets[-1]) == (np.int64, np.uint32, len(values))
    found = [values[start:end].tolist() for start, end in pairwise(offsets)]
    offsets, values = shingle_sets(texts, unit, size, word_size)
    assert (offsets.dtype, values.dtype, offsets[-1]) == (np.int64, np.uint64, len(values))
    for row, start, end in zip(found, offsets, offsets[1:], strict=False):
        assert (np.diff(values[start:end]) > 0).all()
        assert set((values[start:end] >> np.uint64(32)).tolist()) == set(row)
    return found


def grams(tokens: list, size: int) -> list[tuple]:
    return [tuple(tokens[start : start + size]) for start in range(len(tokens) - size + 1)]


def same(expected: list[list[tuple]], found: list[list[int]]) -> None:
    """Check that hashes stand for n-grams, place by place: one hash for one n-gram and different ones for others."""
    assert [len(row) for row in expected] == [len(row) for row in found]
    pairs = {pair for grams, hashes in zip(expected, found, strict=True) for pair in zip(grams, hashes, strict=True)}
    assert len({gram for gram, _ in pairs}) == len(pairs) == len({value for _, value in pairs})


@COMPILED
@given(st.lists(MIXED | ANY, max_size=6), st.integers(1, 7))
def test_characters_are_code_points_of_the_text_as_given(texts: list[str], size: int) -> None:
    same([grams(list(text), size) for text in texts], rows(texts, size=size))


def words(text: str) -> list[str]:
    """Cut a text into words in plain Python; an upper-case letter stands for no other here."""

    def kind(place: int) -> object:
        character = text[place]
        if unicodedata.category(character)[0] not in "LMN":
            return None
        return place if character in SOLID else "word"

    runs = groupby(range(len(text)), kind)
    return ["".join(text[place].lower()[0] for place in places) for key, places in runs if key is not None]


LETTERS = st.text(st.sampled_from("aBéÉ7 ,.-'_жЖσΣبَت" + SOLID), max_size=60).map(
    lambda text: text + " abcdefghijklmnopq"
)


@COMPILED
@given(st.lists(LETTERS, max_size=6), st.integers(1, 4))
def test_words_are_runs_of_letters_digits_and_marks(texts: list[str], size: int) -> None:
    texts = [text for text in texts if sum(c in SOLID for c in text) * 4 < sum(c.isalpha() for c in text)]
    expected = [words(text) for text in texts]
    found = [(grams(w, size), row) for w, row in zip(expected, rows(texts, "script", 5, size), strict=True)]
    same([g for g, _ in found if g], [row for g, row in found if g])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Déjà vu, l'été à Paris!", "déjà  VU l été à paris"),
        ("Съешь ещё этих мягких", "съешь: ЕЩЁ — этих, мягких…"),
        ("Ξεσκεπάζω την ψυχοφθόρα", "ξεσκεπάζω ΤΗΝ «ψυχοφθόρα»"),
        ("نَصٌّ حكيمٌ لهُ سِرٌّ", "نَصٌّ، حكيمٌ! (لهُ) سِرٌّ؟"),
        ("state-of-the-art in 2023", "State of the art (in 2023)"),
    ],
)
def test_punctuation_blanks_and_case_do_not_count_where_words_do(one: str, other: str) -> None:
    first, second = rows([one, other], "script")
    assert first == second
    assert len(first) == len(words(one)) - 2 > 0
    first, second = rows([one, other], "character")
    assert first != second


@pytest.mark.parametrize(
    "text",
    [
        "今天天气很好，我们去公园散步吧",
        "今日はとても良い天気ですね",
        "오늘은 날씨가 좋아요 그래요",
        "วันนี้อากาศดีมาก",
        "用 Python 写一个 function 吧",
    ],
)
def test_scripts_without_blanks_are_cut_into_characters(text: str) -> None:
    assert rows([text], "script") == rows([text], "character")
    same([grams(list(text), 5)], rows([text], "script"))


def test_a_chinese_sentence_in_an_english_text_is_no_single_word() -> None:
    english = "The following sentence was translated by a student of the second year from the original: "
    one, other = rows([english + "今天天气很好", english + "今天天气不好"], "script")
    assert len(set(one) & set(other)) == len(one) - 2
    assert len(one) == 15 + 6 - 2


def test_texts_too_short_for_words_are_cut_into_characters_and_shorter_ones_not_at_all() -> None:
    assert rows(["hello world"], "script") == rows(["hello world"], "character")
    assert len(rows(["hello big world"], "script")[0]) == 1
    assert rows(["", "abcd", "😀😀😀😀", "....", "1 2"], "script") == [[]] * 5
    assert [len(row) for row in rows(["", "abcd", "abcde", "😀😀😀😀", "😀😀😀😀😀"])] == [0, 0, 1, 0, 1]


HAN = ["一龥", "㐀䶵", "\uf900\ufa29", "𠀀𪛖", "𰀀𱍊", "々々"]
KANA_AND_HANGUL = ["ぁん", "ァヶ", "ｦﾝ", "ㄅㄩ", "가힣", "ᄀᄒ"]
OTHERS = ["กฮ", "ກຮ", "ཀཧ", "ကအ", "កអ"]


@pytest.mark.parametrize("block", HAN + KANA_AND_HANGUL + OTHERS)
def test_all_letters_of_scripts_without_blanks_stand_alone(block: str) -> None:
    table = word_table("script")
    codes = [code for code in range(ord(block[0]), ord(block[1]) + 1) if chr(code).isalpha()]
    assert (table[codes] >> 31).all()


EUROPEAN = ["AZ", "àÿ", "Āſ", "αω", "ая", "ԱՖ", "აჰ"]


@pytest.mark.parametrize("block", [*EUROPEAN, "את", "اي", "कह", "०९", "０９", "\u0300\u036f"])
def test_letters_digits_and_marks_of_others_make_words_together(block: str) -> None:
    table = word_table("script")
    codes = [c for c in range(ord(block[0]), ord(block[1]) + 1) if unicodedata.category(chr(c))[0] in "LMN"]
    assert (table[codes] >> 31 == 0).all()
    assert (table[codes] != 0).all()
    assert not table[[ord(character) for character in " _-'.,，。、·😀\u3000\u2028\u0000"]].any()


def test_all_ways_to_give_texts_are_one() -> None:
    texts = ["Every good boy does fine", "", "今天天气很好我们去公园", "x" * 9]
    expected = rows(texts)
    large = pa.array(["before", *texts, "after"], pa.large_string())
    assert rows(large.slice(1, 4)) == expected
    assert rows(pa.array(texts)) == expected
    assert rows(pa.array(texts, pa.string_view())) == expected
    assert rows(pa.chunked_array([texts[:1], texts[1:]])) == expected
    assert rows(pa.array([texts[0], None, *texts[2:]])) == expected
    assert rows([]) == rows(pa.chunked_array([], pa.string())) == []


def test_a_long_repeating_text_and_a_long_varied_one() -> None:
    draw = np.random.default_rng(5)
    varied = "".join(map(chr, draw.integers(0x4E00, 0x9FA5, 70_000)))
    offsets, values = shingle_sets(["a" * 100_000, varied, "ab" * 10_000])
    assert np.diff(offsets).tolist() == [1, len(set(grams(varied, 5))), 2]
    assert (np.diff(values[1:-2]) > 0).all()
