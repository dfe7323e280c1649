"""Contents pages: chapter headings without their chapters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from cleaning.rules.base import Measured, MeasureRule
from cleaning.trigger import Trigger

if TYPE_CHECKING:
    from cleaning.texts import Texts

_NUMERALS = "0123456789０１２３４５６７８９〇零一二三四五六七八九十百千万两壹贰叁肆伍陆柒捌玖拾佰仟"
_NUMERAL = f"[{_NUMERALS}]{{1,8}}"
# A heading stands at a beginning or after a gap, and a reference (`依照本法第三章的规定`) inside a sentence.
_HEADING = (
    rf"(?m)(?:^|[\s。！？…”》）)\].·>*#|-])第{_NUMERAL}[章回](?:$|[\s:：、.．·《\p{{L}}])"
    r"|(?:^|\n)[ \t#*>-]*(?i-u:chapter)[ \t]+(?:[0-9]{1,4}|[IVXLC]{1,8})(?-u:\b)"
)


class ChapterText(MeasureRule):
    """Drops a row with many chapter headings and little between them.

    The original dropped a text with more than ten `第N章` or `（N）` whatever its length: novels, and papers with
    twelve numbered references. Here only headings count, and only beside the text's length.
    """

    rule: Literal["chapter_text"] = "chapter_text"
    headings: int = Field(default=10, ge=1)
    """Texts with fewer are not dropped; the original's number."""
    per_thousand: float = Field(default=5, gt=0)
    """Headings per 1,000 characters that drop a row: less than 200 characters to a chapter."""

    @property
    def trigger(self) -> Trigger:
        """A number before 章 or 回, or the English word."""
        return Trigger(literals=("chapter", *(f"{numeral}{mark}" for numeral in _NUMERALS for mark in "章回")))

    def measure(self, texts: Texts) -> Measured:
        """Return headings per 1,000 characters of each row's most crowded text."""
        import numpy as np
        import polars as pl

        found = np.zeros(len(texts.text))
        at = np.flatnonzero(texts.sought & texts.spoken())
        column = pl.Series([texts.text[one] for one in at], dtype=pl.String)
        found[at] = column.str.count_matches(_HEADING).to_numpy()
        share = 1000 * found / np.maximum(texts.count("characters"), 1)
        values = texts.per_row(share, "max")
        crowded = (found >= self.headings) & (share >= self.per_thousand)
        return Measured(values, texts.per_row(crowded.astype(float), "max") > 0)
