"""Traditional Chinese to simplified, by OpenCC's phrases: 頭髮 → 头发, but 發展 → 发展 and 乾隆 → 乾隆."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Literal

from pydantic import Field

from cleaning.characters import RARE_HAN
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

_HAN_RANGES = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF))
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_LATIN = re.compile("[a-zA-Z]")
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")


@cache
def _converter() -> Any:
    from opencc import OpenCC

    return OpenCC("t2s")


@cache
def _traditional() -> re.Pattern[str]:
    """Return the characters that are traditional whatever the phrase.

    Those that OpenCC changes and GB 2312 has not: 乾, 著 or 於 alone, which simplified texts use too, convert nothing.
    """
    codes = (code for first, last in _HAN_RANGES for code in range(first, last + 1))
    rare = [chr(code) for code in codes if not _in_gb2312(chr(code))]
    simplified = _converter().convert("\n".join(rare)).split("\n")
    found = "".join(old for old, new in zip(rare, simplified, strict=True) if old != new)
    return re.compile(f"[{found}]")


def _in_gb2312(character: str) -> bool:
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


class TraditionalToSimplified(EditRule):
    """Converts texts in traditional characters; rows about them are for `unless_row_has: 繁体|繁體|(?i)traditional`."""

    rule: Literal["traditional_to_simplified"] = "traditional_to_simplified"
    least: float = Field(default=0.05, ge=0, le=1)
    """Share of traditional characters among the Chinese ones from which a text is converted; a quotation in a text of
    another language is not."""
    japanese: bool = False
    """Also convert texts with kana."""

    @property
    def trigger(self) -> Trigger:
        """A Chinese character outside GB 2312."""
        return Trigger(characters=frozenset({RARE_HAN}))

    def apply(self, segments: Segments) -> Edited:
        """Convert whole texts, for a phrase may begin anywhere."""
        texts, counts = [], []
        for text in segments.texts:
            converted = _converter().convert(text) if self._is_traditional(text) else text
            texts.append(converted)
            counts.append(len(_traditional().findall(text)) if converted != text else 0)
        return Edited(texts, counts)

    def _is_traditional(self, text: str) -> bool:
        traditional = len(_traditional().findall(text))
        chinese = len(_HAN.findall(text)) if traditional else 0
        if not traditional or traditional < self.least * chinese or 2 * chinese < len(_LATIN.findall(text)):
            return False
        return self.japanese or not _KANA.search(text)
