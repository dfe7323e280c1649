"""Chinese and Latin letters one after the other: the noise of broken fonts and of filters that people evade."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from cleaning.characters import HAN as HAN_CLASSES
from cleaning.characters import LETTERS
from cleaning.rules.base import Measured, MeasureRule
from cleaning.trigger import Trigger
from utils.data.language import HAN

if TYPE_CHECKING:
    from cleaning.texts import Texts

_WINDOW, _FLIPS = 7, 6
# Characters of different script all along a window: `我a是b中c国`.
_NOISE = rf"(?:[{HAN}][a-zA-Z]){{3}}[{HAN}]|(?:[a-zA-Z][{HAN}]){{3}}[a-zA-Z]"
_HAN = re.compile(f"[{HAN}]")
_LATIN = re.compile("[a-zA-Z]")


class MixedScripts(MeasureRule):
    """Drops a row when the script flips six times within seven characters in too many of ten windows of a text.

    The original dropped at one window and counted digits and marks as Chinese, so that `选项A、B、C、D` was noise. Here
    only Chinese characters beside Latin letters flip: words, abbreviations and letters between marks do not. Code,
    formulas and addresses are not looked at.
    """

    rule: Literal["mixed_scripts"] = "mixed_scripts"
    share: float = Field(default=0.2, gt=0, le=1)
    """The share of noisy windows from which on a row is dropped: two of ten."""
    windows: int = Field(default=10, ge=1)
    """How many windows of seven characters, spread evenly, are looked at."""
    characters: int = Field(default=70, ge=7)
    """Shorter texts are not measured."""

    @property
    def trigger(self) -> Trigger:
        """A Chinese character and a Latin letter side by side, in this order: noise has both."""
        return Trigger(pairs=((HAN_CLASSES, LETTERS),))

    def measure(self, texts: Texts) -> Measured:
        """Return the share of noisy windows of each row's noisiest text."""
        import numpy as np
        import polars as pl

        from cleaning.prose import prose

        share = np.zeros(len(texts.text))
        letters = np.minimum(texts.count("han"), np.minimum(texts.count("latin"), texts.count("words")))
        at = np.flatnonzero(
            texts.sought & (letters >= 3) & (texts.count("characters") >= self.characters) & texts.spoken()
        )
        noisy = pl.Series([texts.text[one] for one in at], dtype=pl.String).str.contains(_NOISE)
        for one in at[noisy.to_numpy()]:
            share[one] = self._share(prose(texts.text[one]))
        values = texts.per_row(share, "max")
        return Measured(values, values >= self.share)

    def _share(self, text: str) -> float:
        """Return the share of windows with so many flips."""
        import numpy as np

        if len(text) < self.characters:
            return 0.0
        starts = np.linspace(0, len(text) - _WINDOW, num=self.windows, dtype=int).tolist()
        return sum(_flips(text[start : start + _WINDOW]) >= _FLIPS for start in starts) / self.windows


def _flips(window: str) -> int:
    """Count neighbours of which one is Chinese and the other a Latin letter."""
    kinds = _LATIN.sub("a", _HAN.sub("中", window))
    return sum(pair in ("中a", "a中") for pair in map("".join, pairwise(kinds)))
