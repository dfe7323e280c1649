"""Rows by language and length, counted by hand."""

from __future__ import annotations

import polars as pl

from cleaning.shape import shape_of, summed


def test_rows_are_counted_before_and_after() -> None:
    rows = pl.DataFrame(
        [
            ("kept", "zh", 10, 7),
            ("kept", "zh", 8, 8),
            ("dropped", "zh", 1023, 1000),
            ("dropped", "en", 0, 0),
            ("quarantined", None, None, None),
        ],
        schema=["status", "lang", "characters_in", "characters"],
        orient="row",
    )
    found = shape_of(rows)
    assert found == {"in": {"en": {"1": 1}, "zh": {"8": 2, "512": 1}}, "kept": {"zh": {"4": 1, "8": 1}}}
    twice = summed([found, found, {"in": {}, "kept": {"en": {"16": 3}}}])
    assert twice["kept"] == {"en": {"16": 3}, "zh": {"4": 2, "8": 2}}
    assert list(twice["in"]["zh"].items()) == [("8", 4), ("512", 2)]
