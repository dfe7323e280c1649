"""Corner brackets for quotation as in Taiwan, and heavy square ones."""

from __future__ import annotations

import re
from typing import Literal

from cleaning.characters import Classes, of
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.scan import Trigger

_CORNERS = str.maketrans("「」『』", "“”‘’")
_INSIDE = str.maketrans("「」『』", "‘’“”")
_PAIRS = ("「」", "『』")
# Corner brackets inside curly quotes are the inner quotation.
_QUOTED = re.compile(r"“[^“”\n]{0,400}[「」][^“”\n]{0,400}+”")
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")


def _curly(text: str) -> str:
    """Replace corner brackets where each has its partner, but in Japanese, whose quotes they are."""
    if any(text.count(pair[0]) != text.count(pair[1]) for pair in _PAIRS) or _KANA.search(text):
        return text
    if "“" in text:
        text = _QUOTED.sub(lambda quoted: quoted.group().translate(_INSIDE), text)
    return text.translate(_CORNERS)


class QuoteStyle(EditRule):
    """Writes `「」` as `“”` and `『』` as `‘’`; with `brackets` also `【】` as `[]`."""

    rule: Literal["quote_style"] = "quote_style"
    corners: bool = True
    """Replace corner brackets."""
    brackets: bool = False
    """Replace heavy square brackets."""

    @property
    def trigger(self) -> Trigger:
        """Any of them."""
        corners, brackets = of("「」『』"), of("【】")
        nothing: Classes = frozenset()
        return Trigger(characters=(corners if self.corners else nothing) | (brackets if self.brackets else nothing))

    def apply(self, segments: Segments) -> Edited:
        """Replace character by character."""
        texts, counts = [], []
        for text in segments.texts:
            styled = _curly(text) if self.corners and ("「" in text or "『" in text) else text
            if self.brackets and styled.count("【") == styled.count("】"):
                styled = styled.replace("【", "[").replace("】", "]")
            texts.append(styled)
            counts.append(
                sum(text.count(mark) - styled.count(mark) for mark in "「」『』【】") if styled != text else 0
            )
        return Edited(texts, counts)
