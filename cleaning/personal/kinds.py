"""Kinds of personal data, looked for in a column of texts, family by family."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from cleaning.personal import emails, keys, names, numbers
from cleaning.personal.found import Found

if TYPE_CHECKING:
    import polars as pl

Kind = Literal["api_key", "email", "cn_id", "credit_code", "bank_card", "qq", "phone", "wechat_id", "ip"]

# In the order in which they claim their places: an address before the number in it, a QQ number before a telephone.
_FAMILIES = (
    (keys.NEEDS, keys.find),
    (emails.NEEDS, emails.find),
    (names.QQ_NEEDS, names.find_qq),
    (names.WECHAT_NEEDS, names.find_wechat),
)
# Digits and signs as wide as a Chinese character, one for one, so that places stay the same.
_DIGITS = "０１２３４５６７８９"
WIDE_BEGINS = (
    *(f"１{digit}" for digit in "３４５６７８９"),
    *(f"０{digit}" for digit in _DIGITS),
    *(f"{sign}{digit}" for sign in "：:=号话机码证为是 " for digit in _DIGITS),
)
"""Of these one is in each wide number: of a mobile one, of an area code, of what stands before a number."""
_WIDE = ("[０-９](?:[ －-]?[０-９]){6}", "＠")
_NARROW = {wide: wide - 0xFEE0 for wide in [*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B)]} | {
    ord(wide): narrow for wide, narrow in zip("＠．－＋＿", "@.-+_", strict=True)
}
_PIECE = re.compile(numbers.PIECE)


def found_in(texts: Sequence[str]) -> Iterator[tuple[int, list[Found]]]:
    """Yield the number of each text that has personal data, and where: in the order of their places, apart."""
    import polars as pl

    column = pl.Series(texts, dtype=pl.String)
    found: dict[int, list[Found]] = {}
    wide = _having(column, _WIDE)
    for needs, find in _FAMILIES:
        for at in _having(column, needs):
            _claim(found, at, find(texts[at]))
    pieces = column.str.extract_all(numbers.PIECE)
    has = (pieces.list.len() > 0).arg_true()
    for at, own in zip(has.to_list(), pieces.gather(has).to_list(), strict=True):
        _claim(found, at, numbers.find(texts[at], own))
    for at in wide:
        if "＠" not in texts[at] and not any(begin in texts[at] for begin in WIDE_BEGINS):
            continue
        text = texts[at].translate(_NARROW)
        found.pop(at, None)
        for _, find in _FAMILIES:
            _claim(found, at, find(text))
        _claim(found, at, numbers.find(text, _PIECE.findall(text)))
    yield from found.items()


def _having(column: pl.Series, patterns: Sequence[str]) -> list[int]:
    """Return the numbers of the texts that have one of some patterns; asked one by one, for together they are slow."""
    has = column.str.contains(patterns[0])
    for pattern in patterns[1:]:
        has |= column.str.contains(pattern)
    return has.arg_true().to_list()


def _claim(found: dict[int, list[Found]], at: int, new: list[Found]) -> None:
    """Add what lies apart from what an earlier family found in a text."""
    if not new:
        return
    if own := found.get(at):
        new = [one for one in new if all(one.end <= other.start or other.end <= one.start for other in own)]
        found[at] = sorted(own + new)
    else:
        found[at] = new
