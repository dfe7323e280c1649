"""Exact duplicates: rows whose texts say the same, keyed by a 128-bit hash of the cleaned text.

Two texts say the same when they are equal after NFC (one way to encode accents) and after every run of blanks became
one; with `normalise: false`, when they are equal. Nothing else is folded: 10² and 102, `Ab` and `ab` may be the whole
point of a row. The parts of one turn (an instruction and its input) count as one text, as they do in a row's id; so
rows with equal ids have equal hashes, whatever their formats. Rows of which no text is left say the same: nothing.

Of each group the first by (source_file, source_row) represents it and is the only one that may survive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from cleaning.duplicates.parts import DROPPED, WORK, Part, load_parts, own_offset
from cleaning.tasks import unit_of

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

REASON = "exact_duplicate"

SPOKEN = pl.Schema({"row": pl.UInt32, "key": pl.String, "prompt": pl.String, "text": pl.String, "answer": pl.String})

_TURN = "\x1f"


def spoken(texts: pl.DataFrame, *, normalise: bool = True) -> pl.DataFrame:
    """Return what each row says, in four forms, from the columns `row, role, text` (`row` ascending).

    `key` is all of it with the turns marked, `prompt` the same without the assistant's turns (null where it has none),
    `text` the plain text, `answer` the assistant's part of it ("" where it has none). Of a row whose texts are all
    empty `key`, `text` and `answer` are "": the last lines, behind those of the others.
    """
    said = texts["text"]
    if normalise:
        from cleaning.duplicates.fold import folded

        said = folded(said)
    every = texts.select("row", "role", said.alias("text"))
    turns = every.filter(pl.col("text") != "")
    if len(turns) == len(every):
        return _joined(turns, normalise=normalise)
    silent = every.select("row").unique(maintain_order=True).join(turns, on="row", how="anti", maintain_order="left")
    empty = silent.with_columns(key=pl.lit(""), prompt=pl.lit(None, pl.String), text=pl.lit(""), answer=pl.lit(""))
    return pl.concat([_joined(turns, normalise=normalise), empty])


def _joined(turns: pl.DataFrame, *, normalise: bool) -> pl.DataFrame:
    """Return `spoken` of texts of which none is empty."""
    if not (turns["row"].diff() == 0).any():  # documents: one text each, nothing to join
        return _single(turns)
    begins = pl.col("role").ne_missing(pl.col("role").shift(1).over("row"))
    part = pl.lit(" " if normalise else "\n")
    mark = pl.when(begins).then(pl.concat_str(pl.lit(_TURN), "role", pl.lit(_TURN))).otherwise(part)
    marked = turns.with_columns(marked=pl.concat_str(mark, "text"), answers=pl.col("role") == "assistant")
    asked, answered = pl.col("marked").filter(~pl.col("answers")), pl.col("text").filter(pl.col("answers"))
    return marked.group_by("row", maintain_order=True).agg(
        pl.col("marked").str.join("").alias("key"),
        pl.when(pl.col("answers").any()).then(asked.str.join("")).alias("prompt"),
        pl.col("text").str.join("\n"),
        answered.str.join("\n").alias("answer"),
    )


def _single(turns: pl.DataFrame) -> pl.DataFrame:
    answers = pl.col("role") == "assistant"
    return turns.select(
        "row",
        pl.concat_str(pl.lit(_TURN), "role", pl.lit(_TURN), "text").alias("key"),
        pl.when(answers).then(pl.lit("")).alias("prompt"),
        "text",
        pl.when(answers).then("text").otherwise(pl.lit("")).alias("answer"),
    )


def hash_columns(texts: pl.Series, name: str) -> pl.DataFrame:
    """Return a text's BLAKE2b-128 as the columns `<name>_high, <name>_low`; null for null."""
    names = (f"{name}_high", f"{name}_low")
    if texts.null_count() == len(texts):
        return pl.DataFrame({half: pl.Series([None] * len(texts), dtype=pl.UInt64) for half in names})
    none, hashed = bytes(16), hashlib.blake2b
    said = texts.cast(pl.Binary).to_list()
    digests = b"".join([none if text is None else hashed(text, digest_size=16).digest() for text in said])
    halves = np.frombuffer(digests, dtype="<u8").reshape(-1, 2)
    columns = pl.DataFrame({half: halves[:, number].copy() for number, half in enumerate(names)})
    return columns.select(pl.when(texts.is_not_null()).then(pl.col(half)).alias(half) for half in names)


def keys_of(
    parts: list[Part], name: str, task: dict[str, Any], chosen: Callable[[Part, pa.Table], NDArray[np.bool_]]
) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    """Return the 128-bit keys in a task's slice of all keys, and whose they are: uint64 (n, 2), uint32 (n,) ascending.

    Args:
        parts: all.
        name: of the hash, `hash` or `prompt`.
        task: with `piece` and `pieces`.
        chosen: tells of a part, given its columns, which rows (rows,) count.

    """
    keys, rows = [np.empty((0, 2), np.uint64)], [np.empty(0, np.uint32)]
    high, low = f"{name}_high", f"{name}_low"
    for part in parts:
        table = part.columns(high, low, "compared")
        there = table[high].is_valid().to_numpy() & chosen(part, table)
        both = np.stack([table[half].fill_null(0).to_numpy() for half in (high, low)], axis=1)
        mine = np.flatnonzero(there & (both[:, 1] % np.uint64(task["pieces"]) == task["piece"]))
        keys.append(both[mine])
        rows.append((mine + part.offset).astype(np.uint32))
    return np.concatenate(keys), np.concatenate(rows)


def first_equals(keys: NDArray[np.uint64], rows: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return the rows whose key an earlier row has, ascending, and the first row that has it.

    Args:
        keys: uint64 (n, 2).
        rows: uint32 (n,), ascending.

    """
    order = np.lexsort((keys[:, 1], keys[:, 0]))  # stable: equal keys stay in the order of rows
    sorted_keys = keys[order]
    begins = np.ones(len(rows), np.bool_)
    begins[1:] = (sorted_keys[1:] != sorted_keys[:-1]).any(axis=1)
    firsts = order[np.flatnonzero(begins)][np.cumsum(begins) - 1]
    copies = np.sort(order[~begins])
    first_of = np.empty(len(rows), np.uint32)
    first_of[order] = rows[firsts]
    return rows[copies], first_of[copies]


def find_copies(task: dict[str, Any]) -> dict[str, Any]:
    """Find the exact copies in one slice of the keys: `copies-<piece>.npy`, uint32 (n, 2) of row and representative.

    Args:
        task: `piece`, `pieces`, and the unit's keys.

    """
    unit, parts = unit_of(task), load_parts(task["root"])
    rows, firsts = first_equals(*keys_of(parts, "hash", task, _compared))
    mine = rows >= own_offset(parts)
    with unit.file(copies_file(task["piece"])) as temporary, temporary.open("wb") as file:
        np.save(file, np.stack([rows, firsts], axis=1)[mine])
    return unit.commit({"copies": int(mine.sum())})


def _compared(part: Part, table: pa.Table) -> NDArray[np.bool_]:
    """Tell which rows take part: all readable ones with text, of an earlier run those that it kept."""
    return part.kept() if part.earlier else np.asarray(table["compared"].to_numpy() >= DROPPED)


def copies_file(piece: int) -> str:
    """Return the path, in the run directory, of the copies of one slice."""
    return f"{WORK}/copies-{piece:04d}.npy"


def load_copies(root: Path, pieces: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return all copies, ascending, and their representatives."""
    found = np.concatenate([np.empty((0, 2), np.uint32), *(np.load(root / copies_file(n)) for n in range(pieces))])
    order = np.argsort(found[:, 0], kind="stable")
    return found[order, 0], found[order, 1]
