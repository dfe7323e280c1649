"""Rows that hold a text of a reference set, such as an evaluation's prompts (decontamination).

Every user's and system prompt of a row, and every document, is compared with every reference, exactly: no MinHash. An
inverted index over the references' shingles gives how many a text shares with each. Compared are characters (5-grams)
after NFC, with one blank for each run of blanks, in lower case. A text holds a reference when

- the two are equal (similarity 1), or
- the Jaccard similarity of their shingles reaches `threshold` (the similarity told), or
- `containment` of the reference's shingles lie in one place of the text, not much longer than the reference (the
  share is the similarity told): a long document shares single shingles with everything.

Both sides are compared as they lie in their files and as the policy's editing rules leave them, so that markup,
entities or full-width letters in either hide nothing. What is shown is the reference's own text.

A reference of less than 20 CJK characters or 8 words (or as much of both) counts by equality alone: else "Write a
poem" would drop every poem's row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from cleaning.duplicates.config import Reference
from cleaning.duplicates.reference_texts import asked, forms
from utils.data.inputs import find_files
from utils.data.streaming import iter_records
from utils.errors import UserError
from utils.runs.directory import Run

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from cleaning.batch import Batch
    from utils.runs.commit import Unit

REASON = "reference_duplicate"
REFERENCES = "run/work/references.parquet"
SHOWN = 300

REFERENCE = {"id": pl.String, "file": pl.String, "row": pl.Int64, "text": pl.String}
MATCHES = pa.schema(
    [
        ("id", pa.string()),
        ("source_row", pa.int64()),
        ("place", pa.int32()),
        ("similarity", pa.float32()),
        ("reference_id", pa.string()),
        ("reference_file", pa.string()),
        ("reference_row", pa.int64()),
        ("reference_text", pa.string()),
        ("excerpt", pa.string()),
    ]
)

# A text is compared in pieces of about this many bytes, so that shingles of few texts are held at once.
_PIECE_BYTES = 8 << 20

_DENSE = 10  # shingles on end, most of them shared, begin a quotation


def reference_files(settings: Reference | None) -> list[Path]:
    """Return the files that hold references.

    Raises:
        UserError: there is no such file or folder, or it holds nothing that is read.

    """
    try:
        return [file.path for file in find_files(list(settings.files))] if settings else []
    except UserError as error:
        error.mend = "correct `duplicates.reference.files`"
        raise


def load_references(run: Run, settings: Reference) -> None:
    """Write `run/work/references.parquet`: id, file, row and text of every reference, as they lie in the files.

    Raises:
        UserError: a row that cannot be read, or no text at all.

    """
    if run.committed("references") is not None:
        return
    frame = pl.DataFrame(list(_prompts(settings)), schema=REFERENCE, orient="row")
    if frame.is_empty():
        mend = "name files with rows, and the column that is the text (`text_field`)"
        raise UserError("no reference text in there", where=", ".join(map(str, settings.files)), mend=mend)
    with run.unit("references") as unit:
        with unit.file(REFERENCES) as temporary:
            frame.write_parquet(temporary, compression="zstd")
        unit.commit({"references": len(frame)})


def _prompts(settings: Reference) -> Iterator[tuple[str, str, int, str]]:
    """Give id, file, row and text of what is asked in each row, or of the document."""
    for file in find_files(list(settings.files)):
        for number, record in enumerate(iter_records(file.path, text_field=settings.text_field)):
            for message in record.messages:
                if message.role in ("user", "document") and message.content.strip():
                    yield record.id, file.relative, number, message.content


class References:
    """All references, ready to be looked up in texts; built once in a worker."""

    def __init__(self, path: Path, threshold: float, containment: float, policy: Sequence[dict[str, Any]] = ()) -> None:
        from cleaning.duplicates.overlaps import index_of
        from cleaning.duplicates.shingles import shingle_sets

        self.frame = pl.read_parquet(path, glob=False)
        self.threshold, self.containment = threshold, containment
        every = forms(self.frame["text"], policy)
        self._long = every.filter("long").select("reference", "folded")
        self._index = index_of(shingle_sets(self._long["folded"].to_arrow()))
        self._equal = every.unique("folded", keep="first", maintain_order=True).select("reference", "folded")

    def matches(self, texts: pl.DataFrame, edits: pl.DataFrame) -> pl.DataFrame:
        """Return the best reference of each row that holds one: `row, place, reference, similarity, excerpt`.

        Args:
            texts: of a batch, as cleaned: `row, place, role, text`.
            edits: of the batch, in the order of the rules: `row, place, before`.

        """
        compared = asked(texts, edits)
        equal = compared.join(self._equal, on="folded", how="inner", maintain_order="left")
        found = [equal.with_columns(similarity=pl.lit(1.0), excerpt=pl.col("text").str.slice(0, SHOWN))]
        found += [self._overlapping(piece) for piece in _pieces(compared)]
        columns = ("row", "place", pl.col("reference").cast(pl.UInt32), "similarity", "excerpt")
        every = pl.concat([frame.select(columns) for frame in found])
        best = every.sort("row", -pl.col("similarity"), "place", "reference", maintain_order=True)
        return best.unique("row", keep="first", maintain_order=True)

    def _overlapping(self, texts: pl.DataFrame) -> pl.DataFrame:
        """Return texts with a reference that they resemble or contain."""
        from cleaning.duplicates.overlaps import overlaps
        from cleaning.duplicates.shingles import shingle_sets

        sets = shingle_sets(texts["folded"].to_arrow())
        number, form, similarity, share = overlaps(self._index, sets, self.threshold, self.containment)
        alike = similarity >= self.threshold
        excerpts = texts["text"].gather(number).str.slice(0, SHOWN).to_list()
        for place in np.flatnonzero(~alike).tolist():
            wanted = self._long["folded"][int(form[place])]
            share[place], excerpts[place] = _in_one_place(texts["folded"][int(number[place])], wanted)
        found = (
            texts[number]
            .select("row", "place")
            .with_columns(
                reference=self._long["reference"].gather(form),
                similarity=pl.Series(np.where(alike, similarity, share)),
                excerpt=pl.Series(excerpts, dtype=pl.String),
            )
        )
        return found.filter(pl.Series(alike | (share >= self.containment)))


def _pieces(texts: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Give the texts some at a time."""
    piece = (texts["folded"].str.len_bytes().cum_sum() // _PIECE_BYTES).rename("piece")
    yield from texts.with_columns(piece).partition_by("piece", maintain_order=True, include_key=False)


def _in_one_place(text: str, wanted: str) -> tuple[float, str]:
    """Return the largest share of a reference's shingles within one stretch of a text, and that stretch.

    The stretch is a quarter longer than the reference: what was put in between does not hide it.
    """
    from cleaning.duplicates.shingles import SIZE, shingle_hashes

    given, sought = (shingle_hashes([one]).values for one in (text, wanted))
    sought = np.unique(sought)
    length = min(len(given), len(wanted) + len(wanted) // 4)
    there = np.isin(given, sought)
    hits = np.append(0, np.cumsum(there))
    start = int(np.argmax(hits[length:] - hits[:-length]))
    share = len(np.intersect1d(given[start : start + length], sought)) / len(sought)
    inside = there[start : start + length]
    dense = np.convolve(inside, np.ones(_DENSE))[_DENSE - 1 :] >= 0.8 * _DENSE
    start += int(np.argmax(dense & inside))  # a shingle that is shared by chance begins no quotation
    return share, text[start : start + min(SHOWN, length + SIZE - 1)]


@lru_cache(maxsize=2)
def references_of(path: str, seal: tuple[int, int], threshold: float, containment: float, policy: bytes) -> References:
    """Return the references of a run; `seal` (size, time) makes another file of that name another entry."""
    return References(Path(path), threshold, containment, orjson.loads(policy))


class ReferenceMatches:
    """Compares one part's rows with the references; as a context manager it completes `reference/<part>.parquet`."""

    def __init__(self, unit: Unit, task: dict[str, Any], settings: Reference | None) -> None:
        self._references: References | None = None
        self._file: AbstractContextManager[Path] | None = None
        if settings is not None:
            path = Path(task["root"]) / REFERENCES
            seal = (path.stat().st_size, path.stat().st_mtime_ns)
            policy = orjson.dumps(task["policy"])
            self._references = references_of(str(path), seal, settings.threshold, settings.containment, policy)
            self._file = unit.file(f"run/work/reference/{task['name']}.parquet")

    def __enter__(self) -> ReferenceMatches:
        if self._file is not None:
            self._writer = pq.ParquetWriter(self._file.__enter__(), MATCHES, compression="zstd")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._writer.close()
            self._file.__exit__(kind, error, trace)

    def add(self, batch: Batch) -> pl.DataFrame:
        """Write a batch's matches; return `reference_id, reference_similarity`, null for most rows (n,)."""
        columns = {"reference_id": pl.String, "reference_similarity": pl.Float32}
        every = pl.DataFrame({"row": pl.int_range(len(batch.ids), dtype=pl.UInt32, eager=True)})
        if self._references is None:
            return every.with_columns(pl.lit(None, kind).alias(name) for name, kind in columns.items()).drop("row")
        matches = self._references.matches(batch.texts, batch.edits)
        found = self._references.frame[matches["reference"]].select(
            reference_id="id",
            reference_file="file",
            reference_row="row",
            reference_text=pl.col("text").str.slice(0, SHOWN),
        )
        table = matches.hstack(found).with_columns(
            id=pl.Series([batch.ids[row] for row in matches["row"]], dtype=pl.String),
            source_row=pl.Series([batch.rows[row].source_row for row in matches["row"]], dtype=pl.Int64),
        )
        self._writer.write_table(table.select(MATCHES.names).to_arrow().cast(MATCHES))
        told = table.select("row", "reference_id", pl.col("similarity").alias("reference_similarity"))
        return every.join(told, on="row", how="left", maintain_order="left").select(
            pl.col(name).cast(kind) for name, kind in columns.items()
        )
