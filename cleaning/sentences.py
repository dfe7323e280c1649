"""Where sentences end, in Chinese and in languages with blanks."""

from __future__ import annotations

from cleaning.characters import Classes, of
from utils.data.language import HAN

CLOSERS = r"""”’」』）】》〉〕］)\]}"'"""
"""Marks that still belong to the sentence before them."""

# `!` and `?` of ASCII end a sentence where a blank, a closing mark, Chinese or nothing follows and no blank stands
# before (`a != b`, `x ? y : z`).
_ASCII = rf"(?:[!?](?<![ \t][!?])[!?]*+(?=[\s{CLOSERS}{HAN}]|\Z))"
STOP = rf"\.(?<=[^\W_].|[{CLOSERS}%].)(?![^\s{CLOSERS}])"
"""A full stop behind a word and before a blank, a closing mark or the end."""
END = rf"(?:[。！？…｡]++|{_ASCII})[。！？!?…]*+[{CLOSERS}]*+"
"""The end of a sentence, but for a full stop, which stands behind abbreviations and numbers too."""
END_OR_STOP = rf"(?:[。！？…｡]++|{_ASCII}|{STOP})[。！？!?….]*+[{CLOSERS}]*+"

ENDING: Classes = of("。！？…｡!?.") | of("”’」』）】》〉〕］)]}\"'")
"""Classes of the last character of a text whose last sentence has an end."""
