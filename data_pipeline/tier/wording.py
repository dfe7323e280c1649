"""Likeness of wording: cosine of weighted character n-grams, exact, for any language.

Counts of 1-, 2- and 3-grams, damped (1 + log), weighted by how few references hold them (idf) and normalised. Unlike
the offline embedding it is not projected to few dimensions, and frequent words weigh little: docs/TIERS.md has
what that finds of edited prompts, in English and Chinese.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from data_pipeline.attributes.kinds.embedding import mixed

_SIZES = (1, 2, 3)
_BUCKETS = 1 << 18
_AT_ONCE = 1024
_CHARACTERS = 4000  # of a text, from its beginning


class Wording:
    """References to which texts are compared."""

    def __init__(self, references: pl.Series) -> None:
        counts = _counts(references)
        holding = np.bincount(counts.indices, minlength=_BUCKETS)
        self._weights = (np.log((1 + len(references)) / (1 + holding)) + 1).astype(np.float32)
        self._references = self._normalised(counts).T.tocsc()

    def nearest(self, texts: pl.Series, worth: np.ndarray) -> Iterator[tuple[int, int, float]]:
        """Yield the place of each text that is near a reference, the reference and the cosine.

        Args:
            texts: to be compared.
            worth: the least cosine of each reference; the one exceeded the most counts.

        """
        for start in range(0, len(texts), _AT_ONCE):
            cosines = (self._normalised(_counts(texts.slice(start, _AT_ONCE))) @ self._references).toarray()
            best = np.argmax(cosines - worth, axis=1)
            own = cosines[np.arange(len(best)), best]
            for place in np.flatnonzero(own >= worth[best]).tolist():
                yield start + place, int(best[place]), float(own[place])

    def _normalised(self, counts: Any) -> Any:
        from scipy.sparse import diags

        weighted = counts @ diags(self._weights)
        lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
        return (diags((1 / np.maximum(lengths, 1e-12)).astype(np.float32)) @ weighted).tocsr()


def _counts(texts: pl.Series) -> Any:
    """Return damped n-gram counts as a sparse matrix [texts, buckets]."""
    from scipy.sparse import csr_matrix

    begun = texts.str.slice(0, _CHARACTERS).to_list()
    characters = np.frombuffer("".join(begun).encode("utf-32-le"), dtype="<u4").astype(np.uint64)
    owner = np.repeat(np.arange(len(begun)), [len(text) for text in begun])
    rows, columns = [], []
    for size in _SIZES:
        count = max(0, len(characters) - size + 1)
        hashes = np.full(count, size, dtype=np.uint64)
        for offset in range(size if count else 0):
            hashes = mixed(hashes ^ characters[offset : offset + count])
        inside = owner[:count] == owner[len(owner) - count :]
        rows.append(owner[:count][inside])
        columns.append((hashes[inside] & np.uint64(_BUCKETS - 1)).astype(np.int64))
    places = (np.concatenate(rows), np.concatenate(columns))
    counts = csr_matrix((np.ones(len(places[0]), np.float32), places), shape=(len(begun), _BUCKETS))
    counts.data = 1 + np.log(counts.data)
    return counts
