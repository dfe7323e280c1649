"""What the families of personal data give back."""

from __future__ import annotations

from typing import NamedTuple


class Found(NamedTuple):
    """Characters [start, end) of a text and the kind of personal data that they are."""

    start: int
    end: int
    kind: str
