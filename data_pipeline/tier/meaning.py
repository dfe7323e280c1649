"""Likeness of meaning: cosine of the vectors of a sentence-transformers model that lies on this machine.

What it finds is the model's: a multilingual one sees translations, none sees more than it was trained for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

_AT_ONCE = 1024
_BATCH = 32  # texts per forward pass


class Meaning:
    """References to which texts are compared."""

    def __init__(self, references: pl.Series, model: Path, prefix: str) -> None:
        self._model, self._prefix = model, prefix
        self._references = self._vectors(references)

    def nearest(self, texts: pl.Series, worth: np.ndarray) -> Iterator[tuple[int, int, float]]:
        """Yield the place of each text that is near a reference, the reference and the cosine.

        Args:
            texts: to be compared.
            worth: the least cosine of each reference; the one exceeded the most counts.

        """
        for start in range(0, len(texts), _AT_ONCE):
            cosines = self._vectors(texts.slice(start, _AT_ONCE)) @ self._references.T
            best = np.argmax(cosines - worth, axis=1)
            own = cosines[np.arange(len(best)), best]
            for place in np.flatnonzero(own >= worth[best]).tolist():
                yield start + place, int(best[place]), float(own[place])

    def _vectors(self, texts: pl.Series) -> np.ndarray:
        from data_pipeline.attributes.kinds.sentence_embedding import encode, open_sentence_transformer
        from data_pipeline.attributes.scoring_models import held

        model = held(open_sentence_transformer, self._model)
        return encode(model, [self._prefix + text for text in texts], _BATCH)
