"""The scan of a column against a plain reference, character by character."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaning import characters as kinds
from cleaning.characters import class_table
from cleaning.scan import AT, COUNTS, Scanner, Trigger
from utils.data.language import HAN, LATIN, OTHER

TEXTS = st.text(
    st.one_of(
        st.sampled_from(
            "中文字ab ZéšœКи한あ1.。！!?？;\n\t\r\u3000\u00a0\u200b\ufeffｱＡ１①😀…”)（「」@#=-_𠀀\U000e0001"
        ),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=60,
)


def count(pattern: str, text: str) -> int:
    return len(re.findall(pattern, text))


def kind_of(character: str) -> int:
    code = ord(character)
    if code < 0x20000:
        return int(class_table()[code])
    return kinds.RARE_HAN if code <= 0x323AF else kinds.UNSEEN


def counts(text: str) -> dict[str, int]:
    row = Scanner(()).scan([text]).counts[0]
    return {name: int(row[at]) for name, at in AT.items()}


@settings(max_examples=600, deadline=None, derandomize=True)
@given(TEXTS)
def test_counts_are_those_of_expressions_over_the_text(text: str) -> None:
    found = counts(text)
    assert found["characters"] == len(text)
    assert found["han"] == count(f"[{HAN}]", text)
    assert found["latin"] == count(f"[{LATIN}]", text)
    assert found["other_script"] == count(f"[{OTHER}]", text)
    assert found["blanks"] == sum(map(str.isspace, text))
    assert found["lines"] == text.count("\n")
    assert found["digits"] == count("[0-9０-９]", text)
    assert found["words"] == count(f"[{LATIN}0-9０-９]+", text)
    assert found["common_han"] == sum(level(c) == 1 for c in text)
    assert found["less_common_han"] == sum(level(c) == 2 for c in text)
    stops = count(r"\.(?=[\s\"')\]}”’）】」』》]|\Z)", text)
    assert found["sentence_ends"] == count("[。！？!?；;…]", text) + stops


def level(character: str) -> int:
    """Return the level of GB 2312 that a character is of; 0 for none."""
    try:
        encoded = character.encode("gb2312")
    except UnicodeEncodeError:
        return 0
    row = encoded[0] - 0xA0 if len(encoded) == 2 else 0
    return 1 if 16 <= row < 56 else 2 if 56 <= row < 88 else 0


@settings(max_examples=300, deadline=None, derandomize=True)
@given(TEXTS)
def test_every_character_is_counted_once(text: str) -> None:
    """But for those that no column is for, and `other_script`, which goes by the ranges of the language."""
    found = counts(text)
    once = ("han", "latin", "digits", "blanks", "punctuation", "emoji", "invisible", "symbols", "other_letters")
    ends = count("[。！？!?；;…]", text)
    assert sum(found[name] for name in once) + ends <= found["characters"]


SETS = st.sampled_from(
    [kinds.of("。"), kinds.of("ab"), kinds.HAN, kinds.DIGITS, kinds.SPACES, kinds.of("（）"), kinds.EMOJI]
)
TRIGGERS = st.builds(
    Trigger,
    characters=st.one_of(st.just(frozenset()), SETS),
    pairs=st.lists(st.tuples(SETS, SETS), max_size=2).map(tuple),
    runs=st.lists(st.tuples(SETS, st.integers(2, 8)), max_size=2).map(tuple),
    opens=st.one_of(st.just(frozenset()), SETS),
    closes=st.one_of(st.just(frozenset()), SETS),
    digits=st.sampled_from([0, 3, 11]),
)


def has(trigger: Trigger, text: str) -> bool:
    """Tell in plain Python what the scan's bit must say."""
    seen = [kind_of(character) for character in text]
    return bool(
        any(kind in trigger.characters for kind in seen)
        or any(a in first and b in second for a, b in pairwise(seen) for first, second in trigger.pairs)
        or any(
            seen[at : at + times] == [seen[at]] * times and seen[at] in repeated
            for repeated, times in trigger.runs
            for at in range(len(seen) - times + 1)
        )
        or (seen and (seen[0] in trigger.opens or seen[-1] in trigger.closes))
        or (trigger.digits and longest_number(text) >= trigger.digits)
    )


def longest_number(text: str) -> int:
    return max((len(re.sub(r"\D", "", number)) for number in re.findall(r"[0-9]+(?:[ .-][0-9]+)*", text)), default=0)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(st.lists(TRIGGERS, max_size=8), st.lists(TEXTS, max_size=4))
def test_signs_are_those_of_a_plain_reference(triggers: list[Trigger], texts: list[str]) -> None:
    signs = Scanner(triggers).scan(texts).signs
    expected = [sum(has(trigger, text) << at for at, trigger in enumerate(triggers)) for text in texts]
    assert signs.tolist() == expected


@pytest.mark.parametrize("text", ["1234567890 1", "138-0013-8000", "1.2.3.4.5.6.7.8.9.0.1", "12345678901"])
def test_single_separators_do_not_end_a_number(text: str) -> None:
    assert Scanner([Trigger(digits=11)]).scan([text]).signs.tolist() == [1]


@pytest.mark.parametrize("text", ["1234567890  1", "1234567890/1", "1234567890", "１２３４５６７８９０１", ""])
def test_others_do(text: str) -> None:
    assert Scanner([Trigger(digits=11)]).scan([text]).signs.tolist() == [0]


def test_characters_that_blanks_set_apart() -> None:
    han, marks = kinds.HAN, kinds.of("。，")
    scanner = Scanner([Trigger(apart=((han, han),)), Trigger(apart=((marks, kinds.LETTERS), (marks, kinds.EMOJI)))])
    texts = [
        "今 天",
        "今天",
        "今 \u00a0\u3000天",
        "今 a",
        "。 a",
        "。a",
        "。 ",
        "今\t天",
        "a 。",
        "。 é",
        "。 。",
        "",
        "天 \n今",
    ]
    assert scanner.scan(texts).signs.tolist() == [1, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]


def test_a_pattern_alone_asks_every_text() -> None:
    assert Scanner([Trigger(pattern="x"), Trigger()]).scan(["", "a"]).signs.tolist() == [1, 1]


def test_fifty_eight_triggers_have_a_bit_each_and_no_more_fit() -> None:
    letters = [Trigger(characters=kinds.of(chr(48 + at))) for at in range(58)]
    assert Scanner(letters).scan([chr(48 + at) for at in range(58)]).signs.tolist() == [1 << at for at in range(58)]
    with pytest.raises(ValueError, match="59 triggers"):
        Scanner([*letters, Trigger()])


def test_an_empty_column() -> None:
    found = Scanner(()).scan([])
    assert found.signs.shape == (0,)
    assert found.counts.shape == (0, len(COUNTS))
    assert found.counts.dtype == np.int32


def test_unicode_calls_blank_what_the_scan_does() -> None:
    spaces = [chr(code) for code in range(0x20000) if chr(code).isspace()]
    assert Scanner(()).scan(spaces).counts[:, AT["blanks"]].tolist() == [1] * len(spaces)
    assert all(unicodedata.category(space) in ("Zs", "Zl", "Zp", "Cc") for space in spaces)
