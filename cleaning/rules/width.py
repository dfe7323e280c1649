"""Full-width letters and digits, and numbers in circles: `ＡＢＣ１２３` → `ABC123`, `①` → `(1)`."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from cleaning.characters import COMPATIBILITY, DIGIT_WIDE, LATIN_WIDE
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

_LETTERS_AND_DIGITS = r"\uff10-\uff19\uff21-\uff3a\uff41-\uff5a"
_WIDE = {code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))}
# Numbers in circles (also negative, double, sans-serif), in brackets, with a full stop. Roman numerals are letters
# to their readers and stay.
_NUMBERS = r"\u2460-\u249b\u24ea-\u24ff\u2776-\u2793\u3220-\u3229\u3280-\u3289"
# `[x][x]*+`, not `[x]++`: a search is fast for an expression that begins with a single set.
_ANY = re.compile(f"[{_LETTERS_AND_DIGITS}{_NUMBERS}][{_LETTERS_AND_DIGITS}{_NUMBERS}]*+")
_WIDE_ONLY = re.compile(f"[{_LETTERS_AND_DIGITS}][{_LETTERS_AND_DIGITS}]*+")
_POINT = re.compile(r"．(?<=[０-９]．)(?=[０-９])")


def _in_brackets(character: str) -> str:
    """Return `(1)` for a number of any form; brackets keep neighbours apart: `①②` is no twelve, `图①2` no 12."""
    chinese = "\u3220" <= character <= "\u3289"
    inside = unicodedata.normalize("NFKC", character).strip("()") if chinese else int(unicodedata.numeric(character))
    return f"({inside})"


_BRACKETED = {
    code: _in_brackets(chr(code))
    for first, last in ((0x2460, 0x249B), (0x24EA, 0x24FF), (0x2776, 0x2793), (0x3220, 0x3229), (0x3280, 0x3289))
    for code in range(first, last + 1)
}


class Width(EditRule):
    """Makes full-width letters and digits plain; punctuation, kana, Greek, superscripts and Roman numerals stay.

    Numbers in circles become numbers in brackets (`②` → `(2)`, `㈢` → `(三)`, `⒋` → `(4)`), never bare digits: those
    would run into their neighbours.
    """

    rule: Literal["width"] = "width"
    circled: Literal["brackets", "keep"] = "brackets"
    """What becomes of numbers in circles."""

    @property
    def trigger(self) -> Trigger:
        """Any of them."""
        return Trigger(characters=LATIN_WIDE | DIGIT_WIDE | (COMPATIBILITY if self.circled == "brackets" else set()))

    def apply(self, segments: Segments) -> Edited:
        """Replace run by run; a full-width point between digits is a decimal point."""
        found, table = (_ANY, _WIDE | _BRACKETED) if self.circled == "brackets" else (_WIDE_ONLY, _WIDE)
        texts, counts = [], []
        for text in segments.texts:
            if "．" in text:
                text = _POINT.sub(".", text)
            text, count = found.subn(lambda run: run.group().translate(table), text)
            texts.append(text)
            counts.append(count)
        return Edited(texts, counts)
