"""What pass 1 leaves of each row for the search of duplicates: hashes, a signature, its bands, the compared text."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from cleaning.duplicates.arrays import ArrayWriter
from cleaning.duplicates.config import BestField, Duplicates, Near
from cleaning.duplicates.exact import SPOKEN, hash_columns, spoken
from cleaning.duplicates.parts import BLOCK, DROPPED, SHORT, UNREADABLE, WHOLE, trace_file
from cleaning.duplicates.texts import TextWriter, interleaved

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from utils.data.reading import RawRow
    from utils.runs.commit import Unit

COLUMNS = pa.schema(
    [
        ("hash_high", pa.uint64()),
        ("hash_low", pa.uint64()),
        ("prompt_high", pa.uint64()),
        ("prompt_low", pa.uint64()),
        ("compared", pa.uint8()),
        ("score", pa.float64()),
    ]
)

_UPPER = np.uint64(32)


class Traces:
    """Writes the traces of one part, batch by batch; as a context manager it completes the files."""

    def __init__(self, unit: Unit, task: dict[str, Any], settings: Duplicates) -> None:
        self._unit, self._name, self._settings = unit, task["name"], settings
        self._stack = ExitStack()
        self._near: _NearTraces | None = None

    def __enter__(self) -> Traces:
        if self._settings.near is not None:
            self._near = _NearTraces(self._unit, self._stack, self._name, self._settings.near)
        return self

    def __exit__(self, *failure: Any) -> None:
        if self._near is not None:
            self._near.close()
        self._stack.__exit__(*failure)

    def add(self, texts: pl.DataFrame, kept: NDArray[np.bool_], rows: list[RawRow] | Any) -> pl.DataFrame:
        """Write a batch's traces; return the columns `COLUMNS`, a line per row.

        Args:
            texts: of readable rows, after the rules: `row, role, text`.
            kept: rows (n,) that no rule or reference drops: the others take no part in near duplicates.
            rows: as read (n,).

        """
        said = spoken(texts, normalise=self._settings.normalise)
        every = pl.DataFrame({"row": pl.int_range(len(kept), dtype=pl.UInt32, eager=True)})
        said = every.join(said, on="row", how="left", maintain_order="left").cast(SPOKEN)
        there = said["key"].is_not_null().to_numpy()
        compared = np.where(there, np.where(kept, SHORT, DROPPED), UNREADABLE).astype(np.uint8)
        score = np.zeros(len(kept))
        if self._near is not None:
            compared[self._near.add(said, compared == SHORT)] = WHOLE
            score = self._near.scores(said, rows)
        hashes = [hash_columns(said["key"], "hash"), hash_columns(said["prompt"], "prompt")]
        found = pl.concat(hashes, how="horizontal")
        return found.with_columns(compared=pl.Series(compared), score=pl.Series(score))


class _NearTraces:
    """Signatures, bands and texts of one part; rows that take no part have neither shingles nor text."""

    def __init__(self, unit: Unit, stack: ExitStack, name: str, near: Near) -> None:
        def file(what: str) -> Any:
            return stack.enter_context(unit.file(trace_file(name, what)))

        self._settings = near
        self._signatures = ArrayWriter(file("signatures.npy"), "<u4", near.permutations)
        self._bands = ArrayWriter(file("bands.npy"), "<u4")
        self._texts = TextWriter(file("texts"))
        self._waiting = np.empty((0, near.bands), np.uint32)

    def close(self) -> None:
        """Complete the files."""
        self._write_bands(last=True)
        for writer in (self._signatures, self._bands, self._texts):
            writer.close()

    def add(self, said: pl.DataFrame, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Write a batch; tell which rows (n,) take part: those kept that have a shingle."""
        from cleaning.duplicates.minhash import band_hashes, shingled, text_signatures
        from cleaning.duplicates.shingles import as_column

        near, texts = self._settings, said.select("text", "answer")
        if not kept.all():
            texts = texts.select(pl.when(pl.Series(kept)).then(pl.all()).otherwise(pl.lit(""))).fill_null("")
        text, answer = (as_column(texts[name].to_arrow()) for name in ("text", "answer"))
        signatures = text_signatures(text, near.unit, near.size, near.word_size, near.permutations, near.seed)
        self._signatures.write(signatures)
        self._texts.write(interleaved(text, answer))
        bands = (band_hashes(signatures, near.bands, near.rows) >> _UPPER).astype(np.uint32)
        self._waiting = np.concatenate([self._waiting, bands])
        self._write_bands()
        return shingled(signatures)

    def _write_bands(self, *, last: bool = False) -> None:
        """Write whole blocks, band by band in each; at the end what is left as a shorter one."""
        while len(self._waiting) >= BLOCK or (last and len(self._waiting)):
            self._bands.write(np.ascontiguousarray(self._waiting[:BLOCK].T).ravel())
            self._waiting = self._waiting[BLOCK:]

    def scores(self, said: pl.DataFrame, rows: list[RawRow] | Any) -> NDArray[np.float64]:
        """Return what decides who survives (n,): the larger the better."""
        survivor = self._settings.survivor
        if isinstance(survivor, BestField):
            return np.array([_number(raw.row, survivor.field) for raw in rows], np.float64)
        if survivor == "longest":
            return said["text"].str.len_chars().fill_null(0).cast(pl.Float64).to_numpy()
        return np.zeros(len(said))


def _number(row: dict[str, Any] | None, field: str) -> float:
    """Return the number in a row's field; minus infinity where there is none."""
    value = None if row is None else row.get(field)
    plain = isinstance(value, int | float) and not isinstance(value, bool) and value == value
    return float(value) if plain else -np.inf  # type: ignore[arg-type]
