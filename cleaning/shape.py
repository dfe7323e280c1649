"""What a data set looks like in numbers that add up: rows by language and by length, before and after cleaning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

Shape = dict[str, dict[str, dict[str, int]]]
"""`{"in" | "kept": {language: {length: rows}}}`; a length is the power of two at or below the characters of a row."""


def shape_of(rows: pl.DataFrame) -> Shape:
    """Count rows that were read, and those that were kept.

    Args:
        rows: `status`, `lang`, `characters_in` (of the original) and `characters` (of the cleaned text).

    """
    read = rows.filter(pl.col("status") != "quarantined")
    kept = read.filter(pl.col("status") == "kept")
    return {"in": _counted(read, "characters_in"), "kept": _counted(kept, "characters")}


def _counted(rows: pl.DataFrame, length: str) -> dict[str, dict[str, int]]:
    power = pl.col(length).clip(1).log(2).floor().cast(pl.Int64)
    found: dict[str, dict[str, int]] = {}
    for lang, exponent, count in rows.group_by("lang", power.alias("power")).len().sort("lang", "power").iter_rows():
        found.setdefault(lang, {})[str(1 << exponent)] = count
    return found


def summed(shapes: Iterable[Mapping[str, Any]]) -> Shape:
    """Return the sum of shapes."""
    total: dict[str, dict[str, Counter[str]]] = {"in": {}, "kept": {}}
    for shape in shapes:
        for when, languages in total.items():
            for lang, lengths in shape[when].items():
                languages.setdefault(lang, Counter()).update(lengths)
    return {
        when: {
            lang: dict(sorted(lengths.items(), key=lambda item: int(item[0]))) for lang, lengths in sorted(own.items())
        }
        for when, own in total.items()
    }
