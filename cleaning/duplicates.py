"""Exact duplicates: rows whose texts say the same, keyed by a 128-bit hash of the cleaned text.

Two texts say the same when they are equal after NFC (one way to encode accents) and after every run of blanks became
one. Nothing else is folded: 10² and 102, `Ab` and `ab` may be the whole point of a row. The parts of one turn (an
instruction and its input) count as one text, as they do in a row's id; so rows with equal ids have equal hashes,
whatever their formats.

Of each group the first by (source_file, source_row) represents it and is the only one that may survive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

REASON = "exact_duplicate"

HASHES = {"row": pl.UInt32, "hash_high": pl.UInt64, "hash_low": pl.UInt64}
DUPLICATES = {
    "part": pl.String,
    "source_row": pl.Int64,
    "duplicate_of": pl.String,
    "similarity": pl.Float32,
    "cluster": pl.String,
}

_KEY = ("hash_high", "hash_low")


def normalised(text: pl.Expr) -> pl.Expr:
    """Return the expression for a text as duplicates are compared."""
    return text.str.normalize("NFC").str.replace_all(r"\s+", " ").str.strip_chars()


def text_hashes(texts: pl.DataFrame) -> pl.DataFrame:
    """Return `row, hash_high, hash_low` from the columns `row, role, text`."""
    turns = texts.lazy().select("row", "role", normalised(pl.col("text")).alias("text")).filter(pl.col("text") != "")
    begins = pl.col("role").ne_missing(pl.col("role").shift(1).over("row"))
    mark = pl.when(begins).then(pl.concat_str(pl.lit("\x1f"), "role", pl.lit("\x1f"))).otherwise(pl.lit(" "))
    spoken = turns.select("row", pl.concat_str(mark, "text").alias("text"))
    rows = spoken.group_by("row", maintain_order=True).agg(pl.col("text").str.join("")).collect()
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=16).digest() for text in rows["text"])
    halves = np.frombuffer(digests, dtype="<u8").reshape(-1, 2)
    columns = {"row": rows["row"], "hash_high": halves[:, 0].copy(), "hash_low": halves[:, 1].copy()}
    return pl.DataFrame(columns, schema=HASHES)


def find_duplicates(parts: Sequence[tuple[str, Path]]) -> pl.DataFrame:
    """Return a line for every copy, by (part, source_row); representatives and single rows are in none.

    Memory: 28 bytes per row for the hashes and places; ids are read for members of groups only.

    Args:
        parts: name and path of the pass-1 parts, in the order of (source_file, source_row).

    """
    if not parts:
        return pl.DataFrame(schema=DUPLICATES)
    keys = _scan(parts, *_KEY).filter(pl.col("hash_high").is_not_null()).collect()
    members = keys.filter(pl.struct(_KEY).is_duplicated())
    del keys
    ids = _scan(parts, "id").join(members.lazy(), on=["order", "source_row"], how="inner", maintain_order="left")
    survivor, nth = pl.col("id").first().over(_KEY), pl.int_range(pl.len()).over(_KEY)
    copies = ids.sort("order", "source_row").with_columns(survivor=survivor, nth=nth)
    names = pl.LazyFrame({"part": [name for name, _ in parts]}).with_row_index("order")
    found = copies.filter(pl.col("nth") > 0).join(names, on="order").sort("part", "source_row")
    return found.select(
        "part",
        "source_row",
        pl.col("survivor").alias("duplicate_of"),
        pl.lit(1.0, pl.Float32).alias("similarity"),
        pl.col("survivor").alias("cluster"),
    ).collect()


def _scan(parts: Sequence[tuple[str, Path]], *columns: str) -> pl.LazyFrame:
    """Return columns of all parts with each row's place."""
    frames = [
        pl.scan_parquet(path, glob=False).select(pl.lit(order, pl.UInt32).alias("order"), "source_row", *columns)
        for order, (_, path) in enumerate(parts)
    ]
    return pl.concat(frames)
