"""Contents pages: chapter headings without their chapters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from cleaning.rules.base import Measured, MeasureRule

if TYPE_CHECKING:
    from cleaning.texts import Texts

_NUMERAL = "[0-9０-９〇零一二三四五六七八九十百千万两壹贰叁肆伍陆柒捌玖拾佰仟]{1,8}"
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

    def measure(self, texts: Texts) -> Measured:
        """Return headings per 1,000 characters of each row's most crowded text; 0 where too few can be in it."""
        import numpy as np
        import polars as pl

        found = np.zeros(len(texts.text))
        # The shortest ones are 第 and 章, and `chapter` with a line of its own: the counts exclude most texts.
        most = texts.count("han") // 2 + np.minimum(texts.count("lines") + 1, texts.count("latin") // 7)
        at = np.flatnonzero((most >= self.headings) & texts.spoken())
        column = pl.Series([texts.text[one] for one in at], dtype=pl.String)
        some = column.str.contains("第|hapter|HAPTER").to_numpy()
        found[at[some]] = column.filter(some).str.count_matches(_HEADING).to_numpy()
        share = 1000 * found / np.maximum(texts.count("characters"), 1)
        values = texts.per_row(share, "max")
        crowded = (found >= self.headings) & (share >= self.per_thousand)
        return Measured(values, texts.per_row(crowded.astype(float), "max") > 0)
