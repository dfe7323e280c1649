"""The offline embedding: hashed character n-grams, projected at random. No weights, no network, any language.

Every n-gram of a text falls by a fixed 64-bit hash into one of 2^15 buckets with a sign; damped counts are projected
by a seeded ±1 matrix and normalised (feature hashing, then Johnson–Lindenstrauss). Cosine of two vectors estimates
how many n-grams two texts share: likeness of wording, not of meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field

from data_pipeline.attributes.base import AttributeKeys, text_of
from utils.errors import UserError

BUCKETS = 1 << 15
_BATCH = 256  # texts hashed at once; bounds memory, changes nothing


class Embedding(AttributeKeys):
    """A float16 vector of length 1 per row in `embedding`; null for a row without text.

    `characters_cut` counts what `max_characters` left out of the vector.
    """

    version: ClassVar[int] = 1
    scope: ClassVar[Literal["rows", "all"]] = "rows"
    needs: ClassVar[tuple[str, ...]] = ()

    kind: Literal["embedding"] = "embedding"
    dimensions: int = Field(default=256, ge=8, le=4096, multiple_of=8)
    """Length of a vector."""
    ngrams: tuple[int, ...] = Field(default=(1, 2, 3), min_length=1)
    """Lengths of the n-grams, in characters."""
    text: Literal["all", "prompt", "answer"] = "all"
    """What is embedded: all turns, or without or only the assistant's."""
    max_characters: int = Field(default=4000, ge=1)
    """Only the beginning of a longer text counts; the rest is reported in `characters_cut`."""

    @property
    def key(self) -> str:
        """The attribute's name."""
        return self.name or self.kind

    def measure(self, rows: pl.DataFrame, given: Mapping[str, pa.Table], seed: int) -> pa.Table:
        """Return `id, embedding (float16[dimensions]), characters_cut`, one row per row."""
        answers = {"all": None, "prompt": False, "answer": True}[self.text]
        texts = rows.select(text=text_of(answers=answers))
        begun = texts.select(pl.col("text").str.head(self.max_characters).pipe(normalised))["text"].to_list()
        vectors = embed(begun, dimensions=self.dimensions, ngrams=self.ngrams, seed=seed)
        cut = texts.select((pl.col("text").str.len_chars().cast(pl.Int64) - self.max_characters).clip(0))["text"]
        columns = [
            pa.array(rows["id"].to_list(), pa.string()),
            vector_column(vectors),
            pa.array(cut.to_list(), pa.int64()),
        ]
        return pa.table(columns, names=["id", "embedding", "characters_cut"])


def normalised(text: pl.Expr) -> pl.Expr:
    """Return the expression that folds width, case and runs of blanks."""
    return text.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()


def embed(texts: Sequence[str], *, dimensions: int, ngrams: Sequence[int], seed: int) -> np.ndarray:
    """Return float32 vectors [len(texts), dimensions] of length 1; of length 0 for an empty text.

    A text's vector does not depend on the other texts: equal to the bit whatever the batches.
    """
    matrix = projection(BUCKETS, dimensions, seed)
    vectors = np.zeros((len(texts), dimensions), dtype=np.float32)
    for start in range(0, len(texts), _BATCH):
        batch = texts[start : start + _BATCH]
        vectors[start : start + len(batch)] = _counts(batch, ngrams) @ matrix
    lengths = np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=1, keepdims=True))
    return np.divide(vectors, lengths, out=vectors, where=lengths > 0, casting="unsafe")


@lru_cache(maxsize=2)
def projection(buckets: int, dimensions: int, seed: int) -> np.ndarray:
    """Return the ±1 float32 matrix [buckets, dimensions]: raw bits of PCG64, whose stream is fixed for ever."""
    raw = np.random.PCG64(seed).random_raw(buckets * dimensions // 64).astype("<u8")
    bits = np.unpackbits(raw.view(np.uint8)).reshape(buckets, dimensions)
    return bits.astype(np.float32) * 2 - 1


def _counts(texts: Sequence[str], ngrams: Sequence[int]) -> Any:
    """Return damped signed n-gram counts, sign(c)·log(1+|c|), as a sparse matrix [len(texts), BUCKETS]."""
    from scipy.sparse import csr_matrix

    parts = list(_hashed(texts, ngrams))
    rows = np.concatenate([row for row, _ in parts])
    hashes = np.concatenate([found for _, found in parts])
    signs = np.where(hashes >> np.uint64(63), 1, -1).astype(np.float32)
    buckets = (hashes & np.uint64(BUCKETS - 1)).astype(np.int64)
    counts = csr_matrix((signs, (rows, buckets)), shape=(len(texts), BUCKETS))
    counts.data = np.sign(counts.data) * np.log1p(np.abs(counts.data))
    return counts


def _hashed(texts: Sequence[str], ngrams: Sequence[int]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, per length of n-gram, the row and the 64-bit hash of every n-gram that lies inside one text."""
    characters = np.frombuffer("".join(texts).encode("utf-32-le"), dtype="<u4").astype(np.uint64)
    rows = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    for size in ngrams:
        count = max(0, len(characters) - size + 1)
        hashes = np.full(count, size, dtype=np.uint64)
        for offset in range(size if count else 0):
            hashes = mixed(hashes ^ characters[offset : offset + count])
        inside = rows[:count] == rows[len(rows) - count :]
        yield rows[:count][inside], hashes[inside]


def mixed(values: np.ndarray) -> np.ndarray:
    """Return the SplitMix64 step of uint64 values: a fixed hash, the same in every process and on every machine."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def vector_column(vectors: np.ndarray) -> pa.Array:
    """Return float32 vectors [rows, dimensions] as a float16 column; null where a vector is all 0."""
    empty = ~vectors.any(axis=1)
    flat = pa.array(vectors.astype(np.float16).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1], mask=pa.array(empty))


def vectors_of(table: pa.Table, column: str = "embedding") -> tuple[np.ndarray, np.ndarray]:
    """Return a column of vectors as float32 [valid rows, dimensions], and which rows are valid, bool [rows].

    Raises:
        UserError: the table has no such column.

    """
    if column not in table.column_names:
        raise UserError(f"no vectors: {', '.join(table.column_names)} where {column!r} is expected", where="attributes")
    combined = table[column].combine_chunks()
    valid = combined.is_valid().to_numpy(zero_copy_only=False)
    flat = combined.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    return flat.reshape(-1, combined.type.list_size), valid
