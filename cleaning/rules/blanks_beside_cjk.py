"""Blanks that Chinese and Japanese do not write: `今天 天气`, `好 ，`, `。 我们`."""

from __future__ import annotations

import re
from typing import Literal

from cleaning.characters import DIGITS, HAN, KANA, LETTERS, of
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

_LETTERS = "\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
# Not in here: quotes, dashes and dots, which other languages use too, and bullets.
_MARKS, _OPENERS, _CLOSERS = "，。！？；：、", "（《「『【〈", "）》」』】〉"
_ALL_MARKS = _MARKS + _OPENERS + _CLOSERS
_BLANK = " \u3000\u00a0"

Beside = Literal["marks", "cjk", "all"]


def _between(left: str, right: str, most: int) -> str:
    """Return the rest of so many blanks between two characters; the first blank stands before it."""
    return rf"(?<=[{left}][{_BLANK}])[{_BLANK}]{{0,{most - 1}}}+(?=[{right}])"


def _pattern(beside: Beside, first: str) -> re.Pattern[str]:
    """Return where blanks go, of which the first is one of some: a search for a single character is fast.

    On both sides of a blank beside a mark a letter, a digit or another mark is asked for: the blank after `-`, `#`,
    `1.` or at the head of a line is Markdown's. Four blanks or more between letters are columns; a blank between an
    opening and a closing mark is one to fill in.
    """
    word = f"a-zA-Z0-9{_LETTERS}"
    after_marks = [
        _between(_MARKS + _CLOSERS, word + _ALL_MARKS, 8),
        _between(_OPENERS, word + _MARKS + _OPENERS, 8),
    ]
    after_words = [_between(word, _MARKS + _CLOSERS, 8), _between(word, _OPENERS, 3)]
    if beside != "marks":
        after_words.append(_between(_LETTERS, _LETTERS, 3))
    if beside == "all":
        after_words += [_between(_LETTERS, "a-zA-Z0-9", 3), _between("a-zA-Z0-9", _LETTERS, 3)]
    # Most blanks stand before a Latin letter or digit; two of the three degrees need not look at those after a word.
    right = _BLANK + _ALL_MARKS + (word if beside == "all" else _LETTERS)
    forms = f"(?=[{right}])(?<=[{word}].)(?:{'|'.join(after_words)})|{'|'.join(after_marks)}"
    return re.compile(f"[{first}](?:{forms})")


_DEGREES: tuple[Beside, ...] = ("marks", "cjk", "all")
_ANY = {beside: _pattern(beside, _BLANK) for beside in _DEGREES}
_PLAIN = {beside: _pattern(beside, " ") for beside in _DEGREES}


class BlanksBesideCjk(EditRule):
    """Removes blanks within a line beside Chinese and Japanese; indentation, tabs, columns and line ends stay."""

    rule: Literal["blanks_beside_cjk"] = "blanks_beside_cjk"
    beside: Beside = "cjk"
    """`marks`: only beside Chinese punctuation; `cjk`: also between two characters; `all`: also between a character and
    a Latin letter or digit."""

    @property
    def trigger(self) -> Trigger:
        """Two characters of which it joins one to the other, and a blank before a mark or, for `all`, a letter."""
        blank, letters, marks = of(_BLANK), HAN | KANA, of(_ALL_MARKS)
        apart = [(marks, marks | letters | LETTERS | DIGITS)]
        if self.beside != "marks":
            apart.append((letters, letters))
        if self.beside == "all":
            apart.append((letters, LETTERS | DIGITS))
        return Trigger(pairs=((blank, marks | letters if self.beside == "all" else marks),), apart=tuple(apart))

    def apply(self, segments: Segments) -> Edited:
        """Remove them."""
        either, plain, texts, counts = _ANY[self.beside], _PLAIN[self.beside], [], []
        for text in segments.texts:
            pattern = either if "\u3000" in text or "\u00a0" in text else plain
            text, count = pattern.subn("", text)
            texts.append(text)
            counts.append(count)
        return Edited(texts, counts)
