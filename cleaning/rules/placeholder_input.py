"""An input that only says that there is none: `No input`, `<noinput>`, `无输入`."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

# What models wrote in place of an empty input when they made Alpaca and its translations.
_WORDS = (
    r"[\s\\<‹《(（\[【\"'“]*+(?:no ?input(?: (?:is |was )?(?:required|needed|necessary|provided|given))?"
    r"|(?:无需?|没有|不需要|未提供)(?:任何)?输入(?:内容)?|无需?任何输入|没有提供输入)[\s\\>›》)）\]】\"'”.。]*+"
)
_NONE = re.compile(_WORDS, re.IGNORECASE)
_LAST_LINE = re.compile(rf"\n{_WORDS}\Z", re.IGNORECASE)
_FIELDS = ("input", "context")


class PlaceholderInput(EditRule):
    """Empties the field `input` or `context` where all of it is such a word; cuts it where it is a prompt's last line.

    Formats that join instruction and input end a prompt so: rows that say the same stay equal.
    """

    protected: ClassVar[frozenset[str]] = frozenset()

    rule: Literal["placeholder_input"] = "placeholder_input"

    @property
    def trigger(self) -> Trigger:
        """One of the words."""
        return Trigger(literals=("no input", "noinput", "输入"))

    def apply(self, segments: Segments) -> Edited:
        """Compare whole texts with the row's fields: an instruction or an answer may say the same and mean it."""
        texts, counts = list(segments.texts), [0] * len(segments.texts)
        for at, (row, role) in enumerate(zip(segments.row, segments.role, strict=True)):
            if role != "user" or not (segments.opens[at] and segments.closes[at]):
                continue
            if _NONE.fullmatch(texts[at]) and self._is_input(segments, row, texts[at]):
                texts[at], counts[at] = "", 1
            else:
                texts[at], counts[at] = _LAST_LINE.subn("", texts[at])
        return Edited(texts, counts)

    def _is_input(self, segments: Segments, row: int, text: str) -> bool:
        """Tell whether the text is that field's; rules before this one may have changed it at its ends."""
        fields = segments.fields[row] or {}
        values = (fields.get(name) for name in _FIELDS)
        return any(isinstance(value, str) and _NONE.fullmatch(value) and text.strip() in value for value in values)
