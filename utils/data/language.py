"""The language of a text by the scripts of its letters, the same for one text and for a column.

`zh`: mostly Chinese characters; `en`: mostly Latin letters; `other`: a fifth or more of another script;
`und`: no letters. A Chinese character weighs as much as three Latin letters, for it says as much.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
LATIN = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff\uff21-\uff3a\uff41-\uff5a"
# Greek to Mongolian, Greek with accents, kana without the middle dot, Hangul, halfwidth kana.
OTHER = "\u0370-\u1cff\u1f00-\u1fff\u3041-\u30fa\u3105-\u318e\uac00-\ud7a3\uff66-\uffdc"

WEIGHT = 3
OTHER_SHARE = 0.2

_HAN = re.compile(f"[{HAN}]+")
_LATIN = re.compile(f"[{LATIN}]+")
_OTHER = re.compile(f"[{OTHER}]+")


def language_of(text: str) -> str:
    """Return `zh`, `en`, `other` or `und`."""
    if text.isascii():
        return "en" if _LATIN.search(text) else "und"
    han, latin, other = (_count(pattern, text) for pattern in (_HAN, _LATIN, _OTHER))
    total = WEIGHT * (han + other) + latin
    if total == 0:
        return "und"
    if WEIGHT * other >= OTHER_SHARE * total:
        return "other"
    return "zh" if WEIGHT * han >= latin else "en"


def language_column(text: pl.Expr) -> pl.Expr:
    """Return the expression that gives `language_of` for every value of a string column."""
    import polars as pl

    han, latin, other = (text.str.count_matches(f"[{kind}]").cast(pl.Int64) for kind in (HAN, LATIN, OTHER))
    total = WEIGHT * (han + other) + latin
    return (
        pl.when(total == 0)
        .then(pl.lit("und"))
        .when(WEIGHT * other >= OTHER_SHARE * total)
        .then(pl.lit("other"))
        .when(WEIGHT * han >= latin)
        .then(pl.lit("zh"))
        .otherwise(pl.lit("en"))
    )


def _count(pattern: re.Pattern[str], text: str) -> int:
    return sum(map(len, pattern.findall(text)))
