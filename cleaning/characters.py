"""Classes of characters: what the scan of a column tells apart, one byte per character.

An ASCII character is its own class (its code). Characters that rules name one by one have a class each, all others
share one with their kind. Rules speak of sets of classes: `of("<&")`, `HAN`, `of("，。") | HAN`.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Classes = frozenset[int]

# Characters outside ASCII that some rule looks for by itself.
SINGLES = (
    "。．｡！？；：，、…⋯—–―‐·•●～〜“”‘’「」『』（）【】《》〈〉〔〕［］｛｝＜＞｟｠‹›«»"
    "￥＠＃＆＊／＼｜｀＄％＋－＝＿＾＂＇\u3000\u00a0℃×÷\ufffd"
)
_FIRST_SINGLE = 128
_FIRST_KIND = _FIRST_SINGLE + len(SINGLES)
_KINDS = (
    "HAN_COMMON", "HAN_LESS_COMMON", "HAN_RARE", "KANA", "HANGUL", "LATIN_EXTRA", "LATIN_WIDE", "DIGIT_WIDE", "GREEK",
    "CYRILLIC", "OTHER_LETTER", "OTHER_DIGIT", "COMPATIBILITY", "BLANK_WIDE", "INVISIBLE", "JOINER", "BREAK", "EMOJI",
    "LEAD", "TAIL", "PUNCTUATION", "SYMBOL", "TAIL_LETTER",
)  # fmt: skip
_NUMBER = {name: _FIRST_KIND + at for at, name in enumerate(_KINDS)}


def _kind(*names: str) -> Classes:
    return frozenset(_NUMBER[name] for name in names)


def of(characters: str) -> Classes:
    """Return the classes of characters; each must be ASCII or one of `SINGLES`.

    Raises:
        ValueError: a character shares its class with others.

    """
    found = frozenset(ord(c) if ord(c) < 128 else _FIRST_SINGLE + SINGLES.find(c) for c in characters)
    if _FIRST_SINGLE - 1 in found:
        raise ValueError(f"no class of its own: {[c for c in characters if ord(c) > 127 and c not in SINGLES]}")
    return found


DIGITS = of("0123456789")
LETTERS = of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
CONTROLS = frozenset({*range(9), *range(14, 28), 127})
"""ASCII controls but tab, newline, vertical tab, form feed, carriage return and the separators 28–31."""
HAN = _kind("HAN_COMMON", "HAN_LESS_COMMON", "HAN_RARE")
HAN_COMMON = _kind("HAN_COMMON")
"""Level 1 of GB 2312-1980: 3,755 characters by use."""
HAN_LESS_COMMON = _kind("HAN_LESS_COMMON")
"""Level 2 of GB 2312-1980: 3,008 more."""
KANA, HANGUL = _kind("KANA"), _kind("HANGUL")
CJK = HAN | KANA | HANGUL
LATIN_EXTRA = _kind("LATIN_EXTRA", "LEAD", "TAIL_LETTER")
"""Latin letters beyond ASCII, full-width ones not."""
LATIN_WIDE, DIGIT_WIDE = _kind("LATIN_WIDE"), _kind("DIGIT_WIDE")
GREEK, CYRILLIC = _kind("GREEK"), _kind("CYRILLIC")
OTHER_LETTER = _kind("OTHER_LETTER")
COMPATIBILITY = _kind("COMPATIBILITY")
"""Circled, parenthesised and dotted numbers."""
INVISIBLE, JOINER, BREAK, EMOJI = _kind("INVISIBLE"), _kind("JOINER"), _kind("BREAK"), _kind("EMOJI")
BREAKS = BREAK | of("\x0b\x0c\x1c\x1d\x1e\x1f")
BLANKS = of(" \t\u3000\u00a0") | _kind("BLANK_WIDE")
"""Blanks within a line."""
SPACES = BLANKS | BREAKS | of("\n\r")
"""Everything that Unicode calls white space, and the ASCII separators."""
LEAD = _kind("LEAD")
"""U+00C2–U+00F4: what the first byte of UTF-8 looks like when read as Latin-1."""
TAIL = _kind("TAIL", "TAIL_LETTER") | of("“”‘’–—…•‹›«»·\u00a0")
"""What the other bytes of UTF-8 look like when read as Latin-1 or Windows-1252."""
SYMBOL, PUNCTUATION = _kind("SYMBOL"), _kind("PUNCTUATION")

_TAILS = "€‚„†‡ˆ‰‹˜™›"
_TAIL_LETTERS = "ƒŠŒŽšœžŸ"
_JOINERS = "\u200c\u200d"
_INVISIBLE = (
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180E, 0x180E),
    (0x200B, 0x200B), (0x200E, 0x200F), (0x202A, 0x202E), (0x2060, 0x2064), (0x2066, 0x206F), (0x3164, 0x3164),
    (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF9, 0xFFFB),
)  # fmt: skip
_COMPATIBILITY = ((0x2460, 0x24FF), (0x2776, 0x2793), (0x3220, 0x3229), (0x3280, 0x3289), (0x2160, 0x217F))
_HAN_RANGES = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF))
_EMOJI = ((0x2600, 0x27BF), (0x2B00, 0x2BFF), (0x231A, 0x231B), (0x23E9, 0x23FA), (0x1F000, 0x1FAFF))
_OTHER_SCRIPTS = ((0x370, 0x1CFF), (0x1F00, 0x1FFF), (0x3041, 0x30FA), (0x3105, 0x318E), (0xAC00, 0xD7A3))

_BELOW = 0x20000
"""The table holds a class for every character below; above are rare Han, and what nobody can see."""


@cache
def class_table() -> np.ndarray:
    """Return the class of every code point below 0x20000, as uint8."""
    import numpy as np

    table = np.empty(_BELOW, np.uint8)
    table[:128] = np.arange(128)
    categories = [unicodedata.category(chr(code)) for code in range(128, _BELOW)]
    by_category = np.array([_NUMBER[_of_category(category)] for category in categories], np.uint8)
    table[128:] = by_category
    letters = np.array([category[0] == "L" or category[0] == "M" for category in categories])
    _mark_letters(table, np.concatenate([np.zeros(128, bool), letters]))
    for ranges, name in ((_COMPATIBILITY, "COMPATIBILITY"), (_EMOJI, "EMOJI"), (_INVISIBLE, "INVISIBLE")):
        for first, last in ranges:
            table[first : last + 1] = _NUMBER[name]
    _mark_han(table)
    for name, characters in (
        ("TAIL", _TAILS),
        ("TAIL_LETTER", _TAIL_LETTERS),
        ("JOINER", _JOINERS),
        ("BREAK", "\u0085\u2028\u2029"),
    ):
        table[[ord(c) for c in characters]] = _NUMBER[name]
    table[[ord(c) for c in SINGLES]] = np.arange(_FIRST_SINGLE, _FIRST_KIND)
    return table


def _of_category(category: str) -> str:
    """Return the kind of a character outside ASCII, by its category alone."""
    if category in ("Cc", "Cn", "Co", "Cs"):
        return "INVISIBLE"
    names = {"L": "OTHER_LETTER", "M": "OTHER_LETTER", "N": "OTHER_DIGIT", "P": "PUNCTUATION", "Z": "BLANK_WIDE"}
    return names.get(category[0], "SYMBOL")


def _mark_letters(table: np.ndarray, letter: np.ndarray) -> None:
    """Tell scripts apart; U+0080–U+00FF also by what damaged UTF-8 shows."""
    for first, last, name in (
        (0x00C0, 0x024F, "LATIN_EXTRA"), (0x1E00, 0x1EFF, "LATIN_EXTRA"), (0x0370, 0x03FF, "GREEK"),
        (0x1F00, 0x1FFF, "GREEK"), (0x0400, 0x052F, "CYRILLIC"), (0x3041, 0x30FF, "KANA"), (0x31F0, 0x31FF, "KANA"),
        (0xFF66, 0xFF9D, "KANA"), (0xAC00, 0xD7A3, "HANGUL"), (0x1100, 0x11FF, "HANGUL"), (0x3131, 0x318E, "HANGUL"),
        (0xFF21, 0xFF3A, "LATIN_WIDE"), (0xFF41, 0xFF5A, "LATIN_WIDE"), (0x00C2, 0x00F4, "LEAD"),
    ):  # fmt: skip
        span = slice(first, last + 1)
        table[span][letter[span]] = _NUMBER[name]
    table[0xFF10:0xFF1A] = _NUMBER["DIGIT_WIDE"]
    table[0x80:0xC0] = _NUMBER["TAIL"]


def _mark_han(table: np.ndarray) -> None:
    for first, last in _HAN_RANGES:
        table[first : last + 1] = _NUMBER["HAN_RARE"]
    for rows, name in ((range(16, 56), "HAN_COMMON"), (range(56, 88), "HAN_LESS_COMMON")):
        pairs = (bytes((0xA0 + row, 0xA0 + cell)) for row in rows for cell in range(1, 95))
        characters = b"".join(pairs).decode("gb2312", errors="ignore")
        table[[ord(c) for c in characters]] = _NUMBER[name]


RARE_HAN = _NUMBER["HAN_RARE"]
"""The class of U+20000–U+323AF."""
UNSEEN = _NUMBER["INVISIBLE"]
"""The class of all that lies above."""


@cache
def other_script_table() -> np.ndarray:
    """Return, per code point below 0x20000, whether it is of a script that is neither Han nor Latin (`language`)."""
    import numpy as np

    table = np.zeros(_BELOW, bool)
    for first, last in (*_OTHER_SCRIPTS, (0xFF66, 0xFFDC)):
        table[first : last + 1] = True
    return table
