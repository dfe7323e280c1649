"""Blanks and accents folded: as polars and unicodedata do it."""

from __future__ import annotations

import unicodedata

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaning.duplicates.fold import INERT, folded

_BLANKS = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_NEITHER = "\u200b\u180e\ufeff\x1c\x1f\u2060"


def plainly(text: str) -> str:
    frame = pl.select(pl.lit(text).str.normalize("NFC").str.replace_all(r"\s+", " ").str.strip_chars())
    return str(frame.item())


@settings(deadline=None)
@given(
    st.lists(
        st.none() | st.text(st.characters(codec="utf-8") | st.sampled_from(_BLANKS + _NEITHER + "e\u0301가ᄀ중")),
        max_size=6,
    )
)
def test_as_expressions_would_do_it(texts: list[str | None]) -> None:
    found = folded(pl.Series("text", texts, dtype=pl.String)).to_list()
    assert found == [None if text is None else plainly(text) for text in texts]


def test_all_blanks_and_no_others() -> None:
    every = [chr(code) for code in range(0x3001) if not 0xD800 <= code < 0xE000]
    found = folded(pl.Series([f"a{blank}b" for blank in every]))
    blanks = {blank for blank, text in zip(every, found, strict=True) if text == "a b"}
    assert blanks == set(_BLANKS)


def test_ranges_hold_only_what_nfc_leaves_alone() -> None:
    """Such a character is composed, has no combining class, and is the second half of no composition."""
    joined = {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}  # Hangul vowels and tails, composed by rule
    for code in range(0x110000):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            joined.add(int(parts[1], 16))
    for start, end in INERT:
        for code in range(start, end + 1):
            if not 0xD800 <= code < 0xE000:
                assert unicodedata.is_normalized("NFC", chr(code)), hex(code)
                assert unicodedata.combining(chr(code)) == 0 and code not in joined, hex(code)
