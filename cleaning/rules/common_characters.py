"""Texts of rare Chinese characters: text read in the wrong encoding, or characters at random."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from cleaning.rules.base import Measured, MeasureRule

if TYPE_CHECKING:
    import numpy as np

    from cleaning.texts import Texts


class CommonCharacters(MeasureRule):
    """Drops a row of which a text has less than `share` common characters among its Chinese ones.

    Common are the 3,755 of level 1 of GB 2312-1980 (`level: 1`), or these and the 3,008 of level 2 (`level: 2`). The
    original took the share of its own 5,000 among all characters, so that a page of English, or of numbers, had none.
    """

    rule: Literal["common_characters"] = "common_characters"
    share: float = Field(default=0.2, ge=0, le=1)
    """The least share; the original's. Prose has 0.9 and more at level 1."""
    level: Literal[1, 2] = 1
    """Which characters are common."""
    characters: int = Field(default=20, ge=1)
    """Texts with fewer Chinese characters are not measured."""

    def measure(self, texts: Texts) -> Measured:
        """Return the share of each row's poorest text; NaN when none is measured."""
        import numpy as np

        from cleaning.prose import prose_of

        values = self._shares(texts)
        asked = np.flatnonzero(values < self.share)
        if asked.size:
            values[asked] = self._shares(prose_of(texts, asked))
        lowest = texts.per_row(values, "min", none=np.nan)
        return Measured(lowest, lowest < self.share)

    def _shares(self, texts: Texts) -> np.ndarray:
        """Return float64 (n,), NaN for what is not measured."""
        import numpy as np

        han = texts.count("han")
        common = texts.count("common_han", *(("less_common_han",) if self.level == 2 else ()))
        asked = texts.spoken() & (han >= self.characters)
        return np.where(asked, common / np.maximum(han, 1), np.nan)
