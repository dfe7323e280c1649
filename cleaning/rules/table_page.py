"""Pages that are a list of short cells: menus, price lists, tables torn from their grid."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from cleaning.rules.base import Measured, MeasureRule

if TYPE_CHECKING:
    import numpy as np

    from cleaning.texts import Texts

_CUTS = {False: "[\n、]", True: "[\n、，]"}
_SENTENCE = re.compile(r"[。！？!?…；;.]")
# Lines of code and markup, fences or none: indented, or with the marks that code ends or begins with.
_CODE_LINE = re.compile(
    r"^(?: {2}|\t).*+|^.*+(?<=[;{}>])[ ]*+$|^[ ]*+(?:#include|import |from |def |return\b|//).*+", re.M
)


class TablePage(MeasureRule):
    """Drops a row whose text, cut at newlines and `、` (`weak`: also at `，`), falls into many short, even pieces.

    The original's numbers: lengths with a mean below 10 and a standard deviation below 8, `weak` below 7 and 3, taken
    without the pieces more than three deviations off. Ours are measured without code, formulas, tables and addresses,
    on texts of at least `pieces`, and verse and dialogue are spared: their pieces end sentences, cells do not. For
    documents; a list is a good answer.
    """

    rule: Literal["table_page"] = "table_page"
    weak: bool = False
    """The stricter test, with `，` as one more cut; for pages of known kinds."""
    mean: float | None = Field(default=None, gt=0)
    """Pieces shorter on average are cells; 10 by default, 7 when weak."""
    deviation: float | None = Field(default=None, gt=0)
    """Pieces as even as this are cells; 8 by default, 3 when weak."""
    pieces: int = Field(default=20, ge=2)
    """Texts of fewer pieces are not measured."""
    sentences: float = Field(default=0.2, ge=0, le=1)
    """The share of pieces with a sentence end from which on a text is no table."""

    def measure(self, texts: Texts) -> Measured:
        """Return the mean length of the pieces of each row's most table-like text; NaN when none is measured."""
        import numpy as np

        means, table = self.judged(texts, texts.spoken())
        return Measured(texts.per_row(means, "min", none=np.nan), texts.per_row(table.astype(float), "max") > 0)

    def judged(self, texts: Texts, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean length of pieces (n,), NaN where not measured or not asked for, and which are tables."""
        import numpy as np
        import polars as pl

        means, table = np.full(len(texts.text), np.nan), np.zeros(len(texts.text), bool)
        cuts = pl.Series(texts.text, dtype=pl.String).str.count_matches(_CUTS[self.weak]).to_numpy()
        ends = texts.count("sentence_ends")
        # A text with a sentence end for every piece that it could be asked for is spared before it is cut.
        for at in np.flatnonzero(asked & (cuts + 1 >= self.pieces) & (ends < 8 * (cuts + 1))):
            means[at], table[at] = self._judge(texts.text[at])
        return means, table

    def _judge(self, text: str) -> tuple[float, bool]:
        """Return the mean length of a text's pieces, and whether they are cells."""
        import numpy as np

        from cleaning.prose import prose

        bare = _CODE_LINE.sub("", prose(text))
        pieces = [piece for piece in map(str.strip, re.split(_CUTS[self.weak], bare)) if piece]
        if len(pieces) < self.pieces:
            return np.nan, False
        lengths = np.fromiter(map(len, pieces), float, len(pieces))
        near = np.abs(lengths - lengths.mean()) <= 3 * lengths.std(ddof=1)
        mean, deviation = lengths[near].mean(), lengths[near].std(ddof=1)
        speaks = sum(_SENTENCE.search(piece) is not None for piece in pieces) >= self.sentences * len(pieces)
        most_mean, most_deviation = (self.mean or (7 if self.weak else 10), self.deviation or (3 if self.weak else 8))
        return float(mean), bool(mean < most_mean and deviation < most_deviation and not speaks)
