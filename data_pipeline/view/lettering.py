"""Text in a picture without a font on the machine: small drawings of 7,400 characters lie beside this module."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

SIZE = 24
"""Pixels of an em."""
HEIGHT = 32
"""Pixels of a line."""

_MISSING = "\N{REPLACEMENT CHARACTER}"


@cache
def _glyphs() -> dict[str, np.ndarray]:
    """Return alpha, uint8 [HEIGHT, width], by character."""
    with np.load(Path(__file__).with_name("glyphs.npz"), allow_pickle=False) as stored:
        codes, widths, packed = stored["codes"], stored["widths"].astype(np.int64), stored["alpha"]
    alpha = np.stack([packed >> 4, packed & 15], axis=1).ravel() * 17
    ends = np.cumsum(widths * HEIGHT)
    return {
        chr(code): alpha[end - width * HEIGHT : end].reshape(HEIGHT, width)
        for code, width, end in zip(codes, widths, ends, strict=True)
    }


def lettered(text: str) -> np.ndarray:
    """Return one line of text as alpha, uint8 [HEIGHT, width]; a character that is not drawn becomes U+FFFD."""
    known = _glyphs()
    if not text:
        return np.zeros((HEIGHT, 0), dtype=np.uint8)
    return np.concatenate([known.get(character, known[_MISSING]) for character in text], axis=1)


def shortened(text: str, width: int) -> np.ndarray:
    """Return as much of a text as fits into `width` pixels, with `…` where something is left out."""
    found = lettered(text)
    while found.shape[1] > width and text:
        text = text[:-1]
        found = lettered(text + "…")
    return found
