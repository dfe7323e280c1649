"""Near-duplicates of texts in memory: the steps of a run without its files, for benchmarks and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cleaning.duplicates.candidates import candidate_pairs, hopeful, unique_pairs
from cleaning.duplicates.cluster import components, neighbours, survivors
from cleaning.duplicates.minhash import band_hashes, shingled, text_signatures
from cleaning.duplicates.shingles import as_column, shingle_sets
from cleaning.duplicates.similarity import jaccard

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from cleaning.duplicates.config import Near
    from cleaning.duplicates.shingles import Texts

    Rows = NDArray[np.uint32]

PAIRS_AT_ONCE = 512  # their shingles stay in cache


class Found(NamedTuple):
    """The clusters of n rows.

    Args:
        labels: the surviving row of each row's cluster, itself for a row that survives; uint32 (n,).
        neighbour: the row it was compared with on the way to the survivor, itself for one that survives; uint32 (n,).
        similarity: their exact Jaccard; float64 (n,).
        candidates: different pairs that shared a band.
        compared: of these, pairs whose exact Jaccard was taken.
        verified: of these, pairs at or above the threshold.

    """

    labels: Rows
    neighbour: Rows
    similarity: NDArray[np.float64]
    candidates: int
    compared: int
    verified: int


def near_duplicates(texts: Texts, settings: Near, scores: NDArray[np.float64] | None = None) -> Found:
    """Return the clusters of texts as given: exact copies and verified near-duplicates.

    Of exact copies the first represents the others and is the only one that may survive. Memory: about 1 KB per row,
    and the shingles of the pairs compared at once.

    Args:
        texts: n texts; a null is an empty one.
        settings: of the search. `survivor` counts where no scores are given; it cannot be a field's name then.
        scores: the row with the largest of its cluster survives (n,).

    Raises:
        ValueError: a field's name and no scores.

    """
    column = as_column(texts)
    count = len(column)
    representatives = _representatives(column)
    first = representatives == np.arange(count)
    signatures = text_signatures(
        column, settings.unit, settings.size, settings.word_size, settings.permutations, settings.seed
    )
    pairs = _pairs(signatures, np.flatnonzero(first & shingled(signatures)).astype(np.uint32), settings)
    hope = hopeful(*pairs, signatures, settings.threshold)
    left, right = pairs[0][hope], pairs[1][hope]
    similarity = pair_similarity(column, left, right, settings)
    near = similarity >= settings.threshold
    copies = np.flatnonzero(~first).astype(np.uint32)
    one, other = np.concatenate([left[near], representatives[copies]]), np.concatenate([right[near], copies])
    exact = np.concatenate([similarity[near], np.ones(copies.size)])
    worth = _scores(column, settings) if scores is None else scores
    kept = survivors(components(count, one, other), np.where(first, worth, -np.inf))
    return Found(kept, *neighbours(kept, one, other, exact), pairs[0].size, left.size, int(near.sum()))


def pair_similarity(column: pa.LargeStringArray, left: Rows, right: Rows, settings: Near) -> NDArray[np.float64]:
    """Return the exact Jaccard of the pairs (m,), making the shingles of a part of them at a time."""
    import pyarrow as pa

    out = np.empty(left.size, np.float64)
    for start in range(0, left.size, PAIRS_AT_ONCE):
        part = slice(start, start + PAIRS_AT_ONCE)
        rows, places = np.unique(np.concatenate([left[part], right[part]]), return_inverse=True)
        sets = shingle_sets(column.take(pa.array(rows)), settings.unit, settings.size, settings.word_size)
        ends = places.astype(np.uint32).reshape(2, -1)
        out[part] = jaccard(sets, ends[0], ends[1])
    return out


def _pairs(signatures: NDArray[np.uint32], rows: Rows, settings: Near) -> tuple[Rows, Rows]:
    """Return every pair of the rows that shares a band, once."""
    hashes = band_hashes(signatures, settings.bands, settings.rows)
    found = [
        candidate_pairs(hashes[rows, band], rows, signatures, settings.threshold, settings.bucket_rows)
        for band in range(settings.bands)
    ]
    return unique_pairs(np.concatenate([one.left for one in found]), np.concatenate([one.right for one in found]))


def _scores(column: pa.LargeStringArray, settings: Near) -> NDArray[np.float64]:
    """Return what `survivor` asks for: the length in characters, or nothing but the order."""
    import pyarrow.compute as pc

    if settings.survivor == "first":
        return np.zeros(len(column))
    if settings.survivor != "longest":
        raise ValueError(f"survivor {settings.survivor.field!r} is no part of the texts: give scores")
    return pc.utf8_length(column).to_numpy(zero_copy_only=False).astype(np.float64)


def _representatives(column: pa.LargeStringArray) -> Rows:
    """Return for each row the first one with the same text (n,)."""
    import polars as pl

    rows = pl.DataFrame({"text": pl.from_arrow(column)}).with_row_index("row")
    return rows.select(pl.col("row").first().over("text"))["row"].to_numpy()
