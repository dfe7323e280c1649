"""Who says which text of a row, for the rules on questions and on turns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from utils.data.formats import FORMATS, RowError

if TYPE_CHECKING:
    from cleaning.rules.base import Segments


def texts_of(segments: Segments) -> list[tuple[int, int]]:
    """Return [start, end) of every text among the segments."""
    starts = [at for at, opens in enumerate(segments.opens) if opens]
    return list(zip(starts, [*starts[1:], len(segments.texts)], strict=True))


def roles_of(row: Mapping[str, Any] | None) -> list[str]:
    """Return the role of every text of a row, in order; none when its keys leave its format open."""
    given = dict(row or {})
    found = [known for known in FORMATS if known.matches(given)]
    if len(found) != 1:
        return []
    try:
        return [role for _, role, _ in found[0].texts(given)]
    except RowError:
        return []
