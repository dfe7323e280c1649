"""Texts without punctuation: what a page is when only its menus, tags or titles were taken from it."""

from __future__ import annotations

import re
from statistics import median
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from cleaning.rules.base import Measured, MeasureRule

if TYPE_CHECKING:
    import numpy as np

    from cleaning.texts import Texts

# The head of an item: a bullet, a number, a letter.
_ITEM = re.compile(
    r"[ \t]*+(?:[-*+•·●▪◦‣]|[(（]?(?:[0-9]{1,3}|[a-zA-Z]|[一二三四五六七八九十]{1,3})[.)）、．])[ \t]*+[^\s]"
)
_CJK = re.compile("[\u3041-\u9fff\uac00-\ud7a3]")
_FEWEST_LINES = 4
# Characters without blanks of a line of verse, by script: five and seven of a classical poem, a breath of a free one.
# An entry of a menu has two to four, or one word or two.
_VERSE = {True: (5, 24), False: (12, 60)}
_LIKE, _MOST_LIKE = 0.5, 0.8


def in_lines(text: str) -> bool:
    """Tell whether lines make a text what it is, without marks: items of a list, or verse.

    A list: half of its lines, three and more, begin as items. Verse: four lines and more of a poem's length, of which
    four in five are as long as the median one, give or take half of it, and no more than a third come again.
    """
    lines = [line for line in text.split("\n") if line and not line.isspace()]
    items = sum(_ITEM.match(line) is not None for line in lines)
    if items >= 3 and 2 * items >= len(lines):
        return True
    if len(lines) < _FEWEST_LINES or 3 * len(set(lines)) < 2 * len(lines):
        return False
    sizes = [len("".join(line.split())) for line in lines]
    middle = median(sizes)
    least, most = _VERSE[_CJK.search(text) is not None]
    alike = sum(abs(size - middle) <= _LIKE * middle for size in sizes)
    return least <= middle <= most and alike >= _MOST_LIKE * len(lines)


class SentenceMarks(MeasureRule):
    """Drops a row of which a text has too few sentence ends per 1,000 characters for its language.

    For documents: a poem, a list or a table is a good answer without any. Sentence ends are `。！？；…` and their Latin
    kin, a full stop before a blank or the end. Code, formulas, tables and addresses do not count, nor do short texts,
    lists of items and verse.
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
            spoken = prose_of(texts, asked)
            values[asked], poor[asked] = self._judged(spoken)
            poor[asked] &= [
                not (short and in_lines(text)) for short, text in zip(poor[asked], spoken.text, strict=True)
            ]
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
