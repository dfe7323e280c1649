"""Classes of characters against Unicode's own tables, for every code point."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pytest

from cleaning import characters as kinds
from cleaning.characters import SINGLES, class_table, of, other_script_table
from utils.data.language import HAN, LATIN, OTHER

CODES = [code for code in range(0x20000) if not 0xD800 <= code < 0xE000]


def members(classes: frozenset[int]) -> set[int]:
    """Return the code points below 0x20000 of some classes."""
    return set(np.flatnonzero(np.isin(class_table(), sorted(classes))).tolist()) - set(range(0xD800, 0xE000))


def matching(pattern: str) -> set[int]:
    found = re.compile(f"[{pattern}]")
    return {code for code in CODES if found.match(chr(code))}


def test_ascii_and_singles_have_a_class_each() -> None:
    assert class_table()[:128].tolist() == list(range(128))
    own = [int(class_table()[ord(character)]) for character in SINGLES]
    assert len(set(own)) == len(SINGLES) == len(set(SINGLES))
    assert all(members(of(character)) == {ord(character)} for character in SINGLES)
    assert int(class_table().max()) < 256


def test_a_shared_class_cannot_be_named() -> None:
    with pytest.raises(ValueError, match="中"):
        of("中")


def test_scripts_are_those_of_the_language() -> None:
    assert members(kinds.HAN) == {code for code in matching(HAN) if code < 0x20000}
    assert members(kinds.LETTERS | kinds.LATIN_EXTRA | kinds.LATIN_WIDE) == matching(LATIN)
    assert set(np.flatnonzero(other_script_table()).tolist()) == matching(OTHER)
    assert kinds.RARE_HAN in kinds.HAN


def test_levels_of_gb_2312() -> None:
    assert len(members(kinds.HAN_COMMON)) == 3755
    assert len(members(kinds.HAN_LESS_COMMON)) == 3008
    assert {ord(c) for c in "的一是"} <= members(kinds.HAN_COMMON)
    assert {ord(c) for c in "饕餮"} <= members(kinds.HAN_LESS_COMMON)
    assert not {ord(c) for c in "龘這"} & members(kinds.HAN_COMMON | kinds.HAN_LESS_COMMON)


def test_spaces_are_those_of_python() -> None:
    assert members(kinds.SPACES) == {code for code in CODES if chr(code).isspace()}


def test_controls_are_control_characters() -> None:
    assert all(unicodedata.category(chr(code)) == "Cc" for code in kinds.CONTROLS)
    assert not kinds.CONTROLS & kinds.SPACES


def test_what_nobody_sees_is_not_drawn() -> None:
    unseen = members(kinds.INVISIBLE)
    fillers = {0x115F, 0x1160, 0x3164, 0xFFA0, 0x34F, 0x17B4, 0x17B5, 0x180E}
    categories = {unicodedata.category(chr(code)) for code in unseen - fillers}
    assert categories <= {"Cf", "Cc", "Cn", "Co"}
    assert {0x200B, 0xFEFF, 0x202E, 0xAD, 0xE000} <= unseen
    assert not unseen & members(kinds.JOINER | kinds.BREAKS)


def test_kinds_of_letters() -> None:
    for character, classes in (
        ("あ", kinds.KANA), ("ｱ", kinds.KANA), ("한", kinds.HANGUL), ("é", kinds.LATIN_EXTRA), ("Ａ", kinds.LATIN_WIDE),
        ("８", kinds.DIGIT_WIDE), ("α", kinds.GREEK), ("я", kinds.CYRILLIC), ("ا", kinds.OTHER_LETTER),
        ("①", kinds.COMPATIBILITY), ("😀", kinds.EMOJI), ("☀", kinds.EMOJI), ("\u200d", kinds.JOINER),
        ("\u2028", kinds.BREAK), ("\u2003", kinds.BLANKS), ("Ã", kinds.LEAD), ("©", kinds.TAIL), ("≥", kinds.SYMBOL),
    ):  # fmt: skip
        assert int(class_table()[ord(character)]) in classes, character


def test_no_letter_is_taken_for_a_mark() -> None:
    marks = members(kinds.SYMBOL | kinds.PUNCTUATION | kinds.INVISIBLE | kinds.BLANKS)
    letters = {code for code in marks if unicodedata.category(chr(code))[0] == "L"}
    assert letters <= {0x115F, 0x1160, 0x3164, 0xFFA0}
