"""Texts without punctuation: what a page is when only its menus, tags or titles were taken from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from cleaning.rules.base import Measured, MeasureRule

if TYPE_CHECKING:
    import numpy as np

    from cleaning.texts import Texts


class SentenceMarks(MeasureRule):
    """Drops a row of which a text has too few sentence ends per 1,000 characters for its language.

    For documents: a poem, a list or a table is a good answer without any. Sentence ends are `。！？；…` and their Latin
    kin, a full stop before a blank or the end. Code, formulas, tables and addresses do not count, nor do short texts.
    The original dropped what had none of `，。？！`; a text of 256 characters with one end has 3.9.
    """

    rule: Literal["sentence_marks"] = "sentence_marks"
    zh: float = Field(default=2.0, ge=0)
    """The least number per 1,000 characters of Chinese."""
    en: float = Field(default=1.0, ge=0)
    """The same for text in Latin letters; other scripts may have none."""
    characters: int = Field(default=64, ge=1)
    """Texts with fewer characters that are not blank are not measured."""

    def measure(self, texts: Texts) -> Measured:
        """Return the sentence ends per 1,000 characters of each row's poorest text; NaN when none is measured."""
        import numpy as np

        from cleaning.prose import prose_of

        values, poor = self._judged(texts)
        asked = np.flatnonzero(poor)
        if asked.size:
            values[asked], poor[asked] = self._judged(prose_of(texts, asked))
        drop = texts.per_row(poor.astype(float), "max") > 0
        return Measured(texts.per_row(values, "min", none=np.nan), drop)

    def _judged(self, texts: Texts) -> tuple[np.ndarray, np.ndarray]:
        """Return sentence ends per 1,000 characters (n,), NaN for what is not measured, and which are too few."""
        import numpy as np

        from cleaning.prose import languages

        solid = texts.count("characters") - texts.count("blanks")
        asked = texts.spoken() & (solid >= self.characters)
        share = 1000.0 * texts.count("sentence_ends") / np.maximum(solid, 1)
        language = languages(texts)
        least = np.select([language == "zh", language == "en"], [self.zh, self.en], default=0.0)
        return np.where(asked, share, np.nan), asked & (share < least)
