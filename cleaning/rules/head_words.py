"""Words of an encyclopaedia's frame at the head of a text: 概述, 简介, 摘要."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from pydantic import Field

from cleaning.characters import HAN, LETTERS, of
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

_WORDS = (
    "概述",
    "简介",
    "摘要",
    "内容摘要",
    "内容简介",
    "内容提要",
    "导语",
    "导读",
    "引言",
    "前言",
    "正文",
    "基本简介",
    "基本介绍",
)


class HeadWords(EditRule):
    """Removes such a word, whole, with the colon, brackets or line end that set it apart; 概述了… stays."""

    rule: Literal["head_words"] = "head_words"
    words: tuple[str, ...] = Field(default=_WORDS, min_length=1)
    """Words, exactly as they stand."""

    @property
    def trigger(self) -> Trigger:
        """One of them at the head of the text."""
        opens = HAN | LETTERS | of("【[〔「*# \t\n\u3000")
        pattern = rf"\A[\s\u3000]*[【\[〔「*#]*\s*(?:{'|'.join(map(re.escape, self.words))})"
        return Trigger(opens=opens, pattern=pattern)

    def apply(self, segments: Segments) -> Edited:
        """Remove the word at the head of texts."""
        pattern = _pattern(self.words)
        texts, counts = list(segments.texts), [0] * len(segments.texts)
        for at, opens in enumerate(segments.opens):
            if opens:
                texts[at], counts[at] = pattern.subn("", texts[at], count=1)
        return Edited(texts, counts)


@lru_cache(maxsize=16)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    either = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    colon = r"[ \t\u3000]*[:：][ \t\u3000]*\n?"
    return re.compile(
        rf"\A\s*(?:(?:{either})(?:{colon}|[ \t\u3000]*\n+|[ \t\u3000]+(?=\S))"
        rf"|[【\[〔「](?:{either})[】\]〕」](?:{colon}|\s*)|(?:\*\*(?:{either})\*\*)(?:{colon}|\s*\n+|[ \t]+))"
    )
