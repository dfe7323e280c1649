"""All rows that are compared, as numbered parts: earlier runs' first, then our own by (source_file, source_row).

A row's global number (uint32) is the offset of its part and its place in it; the smaller number is the earlier row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cleaning.duplicates.texts import TextReader
from utils.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIRST_PASS = "run/work/first-pass"  # noqa: S105
WORK = "run/work/duplicates"
PARTS = f"{WORK}/parts.json"
DUPLICATES_FILE = "run/work/duplicates.parquet"

# What a row takes part in: its column `compared`.
UNREADABLE, DROPPED, SHORT, WHOLE = range(4)

# Bands lie on disk in blocks of this many rows: a band's hashes of a block in one piece.
BLOCK = 8192

MOST_ROWS = 1 << 32


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that one pass-1 task left.

    Args:
        root: the run directory that it lies in.
        name: of the part.
        rows: how many.
        offset: the global number of its first row.
        earlier: it belongs to an earlier run.
        file: the input file that it is a part of.

    """

    root: str
    name: str
    rows: int
    offset: int
    earlier: bool
    file: str

    @property
    def first_pass(self) -> Path:
        """Return the part's narrow columns."""
        return Path(self.root) / FIRST_PASS / f"{self.name}.parquet"

    @property
    def ledger(self) -> Path:
        """Return the part's decisions; there in a finished run."""
        return Path(self.root) / "ledger" / f"part-{self.name}.parquet"

    def trace(self, what: str) -> Path:
        """Return the path of `signatures.npy`, `bands.npy` or `texts`."""
        return Path(self.root) / trace_file(self.name, what)

    def columns(self, *names: str) -> pa.Table:
        """Return columns of the pass-1 part."""
        return pq.read_table(self.first_pass, columns=list(names))

    def kept(self) -> NDArray[np.bool_]:
        """Tell which rows (rows,) a finished run kept."""
        status = pq.read_table(self.ledger, columns=["status"])["status"]
        return np.asarray(pc.equal(status.cast(pa.string()), "kept").to_numpy(), np.bool_)


def trace_file(name: str, what: str) -> str:
    """Return the path, in a run directory, of what pass 1 leaves for the search."""
    return f"{WORK}/{name}.{what}"


def numbered(listed: Iterable[Sequence[Any]]) -> list[Part]:
    """Return parts given as (root, name, rows, earlier, file) with their offsets.

    Raises:
        UserError: there are more rows than a uint32 counts.

    """
    found, offset = [], 0
    for root, name, rows, earlier, file in listed:
        found.append(Part(root, name, rows, offset, earlier, file))
        offset += rows
    if offset >= MOST_ROWS:
        raise UserError(f"{offset} rows are too many to compare at once", mend="cut the input, and use `earlier`")
    return found


def total_rows(parts: list[Part]) -> int:
    """Return the number of all rows."""
    return parts[-1].offset + parts[-1].rows if parts else 0


def own_offset(parts: list[Part]) -> int:
    """Return the number of the first row that is not an earlier run's."""
    return next((part.offset for part in parts if not part.earlier), total_rows(parts))


def dump_parts(parts: list[Part]) -> bytes:
    """Return the parts as JSON."""
    return orjson.dumps([[p.root if p.earlier else "", p.name, p.rows, p.earlier, p.file] for p in parts])


def load_parts(root: str | Path) -> list[Part]:
    """Return the parts of a run's search; its own paths start at `root`, wherever that lies now."""
    listed = orjson.loads((Path(root) / PARTS).read_bytes())
    return numbered((where or str(root), *others) for where, *others in listed)


def by_part(parts: list[Part], rows: NDArray[np.uint32]) -> Iterator[tuple[Part, slice, NDArray[np.int64]]]:
    """Give each part that holds some of the ascending rows, which of them, and their places in the part."""
    offsets = np.array([part.offset for part in parts], np.int64)
    cuts = np.searchsorted(rows, np.append(offsets, total_rows(parts)))
    for number in np.flatnonzero(np.diff(cuts)).tolist():
        mine = slice(int(cuts[number]), int(cuts[number + 1]))
        yield parts[number], mine, rows[mine].astype(np.int64) - parts[number].offset


def gather_signatures(parts: list[Part], rows: NDArray[np.uint32], permutations: int) -> NDArray[np.uint32]:
    """Return the signatures (n, permutations) of ascending rows."""
    found = np.empty((len(rows), permutations), np.uint32)
    for part, mine, places in by_part(parts, rows):
        found[mine] = np.load(part.trace("signatures.npy"), mmap_mode="r")[places]
    return found


def band_of(part: Part, band: int, bands: int) -> NDArray[np.uint32]:
    """Return one band's hashes of a part (rows,): read in blocks, the other bands are skipped."""
    found = np.empty(part.rows, np.uint32)
    flat = np.load(part.trace("bands.npy"), mmap_mode="r")
    for start in range(0, part.rows, BLOCK):
        size = min(BLOCK, part.rows - start)
        found[start : start + size] = flat[start * bands + band * size :][:size]
    return found


# A process may open a thousand files or so.
_OPEN_TEXTS = 128


class Texts:
    """Texts of any rows; the files of the parts last asked for stay open."""

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts
        self._open: dict[int, TextReader] = {}

    def _reader(self, part: Part) -> TextReader:
        reader = self._open.pop(part.offset, None) or TextReader(part.trace("texts"))
        self._open[part.offset] = reader
        if len(self._open) > _OPEN_TEXTS:
            del self._open[next(iter(self._open))]
        return reader

    def lengths(self, rows: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Return the bytes of text of ascending rows (n,)."""
        found = np.empty(len(rows), np.int64)
        for part, mine, places in by_part(self._parts, rows):
            found[mine] = self._reader(part).lengths[places, 0]
        return found

    def read(self, rows: NDArray[np.uint32]) -> tuple[pa.Array, pa.Array]:
        """Return texts and answers of ascending rows, each once."""
        pieces: list[tuple[Any, Any]] = [self._reader(p).read(places) for p, _, places in by_part(self._parts, rows)]
        texts, answers = zip(*pieces, strict=True) if pieces else ((), ())
        none = pa.array([], pa.large_string())
        return pa.concat_arrays([none, *texts]), pa.concat_arrays([none, *answers])
