"""Where sentences end, in Chinese and in languages with blanks."""

from __future__ import annotations

from cleaning.characters import Classes, of
from utils.data.language import HAN

CLOSERS = r"""”’」』）】》〉〕］)\]}"'"""
"""Marks that still belong to the sentence before them."""

# Chinese marks end a sentence wherever they stand; `!` and `?` of ASCII where a blank, a closing mark, Chinese or
# nothing follows and no blank stands before (`a != b`, `x ? y : z`); a full stop behind a word and before a blank, a
# closing mark or the end. The expressions begin with a set of characters, which the engine looks for fast.
_ASCII = rf"(?<=[!?])(?<![ \t].)(?=[!?]*+(?:[\s{CLOSERS}{HAN}]|\Z))"
_STOP = rf"(?<=[^\W_]\.|[{CLOSERS}%]\.)(?![^\s{CLOSERS}])"
_MORE = rf"[。！？!?….｡]*+[{CLOSERS}]*+"
END = rf"[。！？…｡!?](?:(?<![!?])|{_ASCII}){_MORE}"
"""The end of a sentence, but for a full stop, which stands behind abbreviations and numbers too."""
END_OR_STOP = rf"[。！？…｡!?.](?:(?<![!?.])|{_ASCII}|{_STOP}){_MORE}"

LAST = "。！？…｡!?.”’」』）】》〉〕］)]}\"'"
"""Last characters of a text that breaks off nowhere."""
ENDING: Classes = of(LAST)
