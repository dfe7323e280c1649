"""Numbers of persons: identity, credit code, bank card, telephone, network address.

Tried only where a run of digits begins in a piece that has enough of them.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

from cleaning.personal.cards import card_end, code_end, id_end
from cleaning.personal.found import Found
from cleaning.personal.machines import address_end
from cleaning.personal.telephones import phone

PIECE = r"[0-9](?:[ ()（）.-]{0,2}[0-9]){6,}"
"""For the linear-time engine: all that numbers may be in; it has no look-around and may be more than one number."""
_LEAST, _SHORT = 7, 9
_OF_GROUPS = frozenset([4, 6, *range(14, 20)])
_OF_CALLS = frozenset([10, 11, 13])
_DIALLED = re.compile(r"(?:1[-. ]\(?|86[- ]|)[0-9]{3}(?:\) ?|[-. ])[0-9]{3}|86[- ]|[48]00-|1-")
_CODE, _LETTERS, _SIGNS = frozenset(string.ascii_letters), frozenset("ANYany"), frozenset("+(（")
_RUN = re.compile(r"[0-9]++")


def find(text: str, pieces: Sequence[str]) -> list[Found]:
    """Return where such numbers are, given all pieces of a text in their order.

    A number that may be several kinds is the first of those named above.
    """
    found: list[Found] = []
    end = 0
    for piece in pieces:
        start = text.find(piece, end)
        stop = start + len(piece)
        if len(piece) <= _SHORT and "." not in piece and text[stop : stop + 1] not in _CODE:
            end = stop  # years and their like
            continue
        runs = [(start, stop)] if piece.isdigit() else [run.span() for run in _RUN.finditer(text, start, stop)]
        for at, last in runs:
            if at >= end and stop - at >= _LEAST and (one := _at(text, at, last, stop)):
                found.append(one)
                end = one.end
        if end < stop:
            end = stop
    return found


def _at(text: str, at: int, last: int, stop: int) -> Found | None:
    """Return what begins at a run of digits, or just before it; the sizes of runs tell what it cannot be."""
    size = last - at
    if stop - at > 14 and size in _OF_GROUPS:
        if end := id_end(text, at):
            return Found(at, end, "cn_id")
        if end := card_end(text, at):
            return Found(at, end, "bank_card")
    if size >= 7 and (size == 18 or text[last : last + 1] in _CODE):
        begin = at - (text[at - 1 : at] in _LETTERS)
        if end := code_end(text, begin):
            return Found(begin, end, "credit_code")
    if size <= 3 and text[last] == "." and (end := address_end(text, at)):
        return Found(at, end, "ip")
    if text[at] == "0" or text[at - 1 : at] in _SIGNS or size in _OF_CALLS or (size <= 3 and _DIALLED.match(text, at)):
        return phone(text, at)
    return None
