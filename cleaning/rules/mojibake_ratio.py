"""Rows that were read in a wrong encoding and cannot be repaired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from cleaning.characters import LEAD, TAIL, of
from cleaning.rules.base import Measured, MeasureRule
from cleaning.rules.mojibake import DAMAGE
from cleaning.trigger import Trigger

if TYPE_CHECKING:
    from cleaning.texts import Texts

# Replacement characters and what GBK makes of two of them (锟斤拷); memory that nobody filled, read as GBK (烫, 屯);
# the characters that nearly every Chinese text in UTF-8 shows when read as GBK and that no text uses (锛 for ， and
# the like, 銆 for 。, 鐨 for 的).
_READ_AS_GBK = "锛銆鐨鎴鏄"
_LOST = rf"[\u0080-\u0084\u0086-\u009f\ufffd{_READ_AS_GBK}]|锟斤拷?|烫烫烫+|屯屯屯+|{DAMAGE}"
_SIGNS = TAIL - of("“”‘’–—…•‹›«»·\u00a0")


class MojibakeRatio(MeasureRule):
    """Drops a row when more than `most` of its characters are damaged; for any text, after `mojibake`."""

    rule: Literal["mojibake_ratio"] = "mojibake_ratio"
    most: float = Field(default=0.02, ge=0, le=1)
    """The share of damaged characters that is still borne."""

    @property
    def trigger(self) -> Trigger:
        """Any sign of damage."""
        lost = (*_READ_AS_GBK, "锟斤", "烫烫烫", "屯屯屯")
        return Trigger(characters=_SIGNS | of("\ufffd"), pairs=((LEAD, TAIL),), literals=lost)

    def measure(self, texts: Texts) -> Measured:
        """Return each row's share of damaged characters, over its answers or its document."""
        import numpy as np
        import polars as pl

        spoken = texts.spoken()
        damaged = np.where(spoken, 0.0, np.nan)
        asked = np.flatnonzero(texts.sought & spoken)
        if asked.size:
            column = pl.Series([texts.text[at] for at in asked], dtype=pl.String)
            damaged[asked] = column.str.extract_all(_LOST).list.join("").str.len_chars().to_numpy()
        characters = texts.per_row(np.where(spoken, texts.count("characters"), np.nan))
        values = texts.per_row(damaged) / np.maximum(characters, 1)
        return Measured(values, values > self.most)
