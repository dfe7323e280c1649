"""Words as shingles take them, and which texts have any: those of scripts that set blanks between words.

A word is a longest run of letters, digits and marks, each character lower-cased by itself. A character of a script
without blanks is a word of its own, so that no Chinese sentence is ever one token.
"""

from __future__ import annotations

import sys
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

Unit = Literal["character", "script"]

BASE = np.uint64(0xD6E8FEB86659FD93)
_MIX = np.uint64(0x94D049BB133111EB)
_32 = np.uint64(32)

# By the first word of a character's name in Unicode.
SCRIPTS_WITHOUT_BLANKS = {"CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HALFWIDTH", "BOPOMOFO"}
SCRIPTS_WITHOUT_BLANKS |= {"HANGUL", "THAI", "LAO", "TIBETAN", "MYANMAR", "KHMER"}

_SOLID, _LETTER, _CODE = np.uint32(1 << 31), np.uint32(1 << 30), np.uint32((1 << 21) - 1)
_PLANES = 0x20000  # from here to _HAN_END all is Han, and beyond are no letters
_HAN_END = 0x323B0


@cache
def word_table(unit: Unit) -> NDArray[np.uint32]:
    """Return what words are made of: per code point its lower case and two flags, else 0; empty for `character`.

    The categories are those of Python's own Unicode version.
    """
    if unit == "character":
        return np.zeros(0, np.uint32)
    table = np.zeros(sys.maxunicode + 1, np.uint32)
    for code in range(_PLANES):
        character = chr(code)
        kind = unicodedata.category(character)[0]
        if kind in "LMN":
            table[code] = ord(character.lower()[0]) | (0 if kind == "N" else int(_LETTER))
            if kind != "N" and unicodedata.name(character, "").partition(" ")[0] in SCRIPTS_WITHOUT_BLANKS:
                table[code] |= _SOLID
    table[_PLANES:_HAN_END] = np.arange(_PLANES, _HAN_END, dtype=np.uint32) | _LETTER | _SOLID
    return table


@njit(cache=True, nogil=True)
def sets_blanks(codes: NDArray[np.uint64], count: int, table: NDArray[np.uint32]) -> bool:
    """Tell whether less than a quarter of the letters are of scripts without blanks."""
    solid = letters = 0
    for i in range(count):
        entry = table[codes[i]]
        letters += (entry >> 30) & 1
        solid += entry >> 31
    return solid * 4 < letters


@njit(cache=True, nogil=True)
def write_words(codes: NDArray[np.uint64], count: int, table: NDArray[np.uint32]) -> int:
    """Write the hash of every word over the code points themselves; return how many.

    A hash is written at each character and kept where a word ends, which no branch can guess.
    """
    words = 0
    word = np.uint64(0)
    alone = False
    for i in range(count):
        entry = table[codes[i]]
        solid = entry >= _SOLID
        ends = (entry == 0) | solid | alone
        codes[words] = mixed(word)
        words += ends & (word != 0)
        word = np.uint64(entry & _CODE) + (np.uint64(0) if ends else word * BASE)
        alone = solid
    if word != 0:
        codes[words] = mixed(word)
        words += 1
    return words


@njit(cache=True, nogil=True)
def mixed(value: np.uint64) -> np.uint64:
    """Return a bijection of 64 bits whose upper half depends on all of them."""
    return (value ^ (value >> _32)) * _MIX
