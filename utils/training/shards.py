"""Token rows on disk: written once in an order shuffled by the seed, memory-mapped, read in sequence.

Plain numpy files, never a pickle: `ids.npy` and `mask.npy` hold the tokens of all rows one after another, `offsets.npy`
where each row begins; of each row `record.npy` has the number of the record that it came from, `source.npy` that of its
source, `document.npy` whether it is a pretraining document.

Shuffling needs no memory for the whole: every row draws a random 64-bit key; its leading bits choose one of some
bucket files, and a bucket at a time is sorted by key. The order depends on the seed and the rows alone, not on the
number of buckets.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from utils.errors import StageFailedError
from utils.runs.directory import Run

ROW = np.dtype([("key", "<u8"), ("record", "<u8"), ("length", "<u4"), ("source", "<u4"), ("document", "u1")])
_PACKED = struct.Struct("<QQIIB")
_COLUMNS = ("record", "source", "document")
_BUCKET_BYTES = 32 << 20  # of ids, at most, where a token is a byte of text or more
_BUCKETS = 512
_HELD_BYTES = 32 << 20
_KEYS = 1 << 14
_PARTS = ("ids", "mask", "row")
_WAIT_S = 0.2


class TokenRow(NamedTuple):
    """One row; `ids` and `mask` are as long as each other."""

    ids: np.ndarray
    mask: np.ndarray
    record: int
    source: int
    document: bool


class ShardWriter:
    """Takes rows one by one; `finish` puts them into their order.

    Args:
        folder: an empty folder.
        vocabulary: number of token ids; up to 65,536 an id takes two bytes, beyond that four.
        seed: decides the order.
        expected_bytes: of the text that will come; a bad guess costs memory or files, never the result.

    """

    def __init__(self, folder: Path, *, vocabulary: int, seed: int, expected_bytes: int = 0) -> None:
        self.folder = folder
        self.dtype = np.dtype("<u2" if vocabulary <= 1 << 16 else "<u4")
        self.rows = self.tokens = 0
        self._random = np.random.Generator(np.random.Philox(seed))
        self._keys: list[int] = []
        buckets = min(_BUCKETS, 1 + expected_bytes * self.dtype.itemsize // _BUCKET_BYTES)
        self._held = [{part: bytearray() for part in _PARTS} for _ in range(buckets)]
        self._held_bytes = 0

    def add(self, ids: Sequence[int], mask: Sequence[int], *, record: int, source: int, document: bool) -> None:
        """Add one row.

        Args:
            ids: token ids, at least one.
            mask: 1 where a token is trained on, else 0.
            record: number of the record it came from.
            source: number of its source.
            document: whether it is a pretraining document.

        """
        if not ids or len(ids) != len(mask):
            raise ValueError(f"{len(ids)} ids, {len(mask)} marks")
        if not self._keys:
            self._keys = self._random.integers(0, 1 << 64, size=_KEYS, dtype=np.uint64).tolist()
        key = self._keys.pop()
        held = self._held[key * len(self._held) >> 64]
        packed = np.asarray(ids, dtype=self.dtype).tobytes()
        held["ids"] += packed
        held["mask"] += bytes(mask)
        held["row"] += _PACKED.pack(key, record, len(ids), source, document)
        self.rows += 1
        self.tokens += len(ids)
        self._held_bytes += len(packed) + len(mask) + ROW.itemsize
        if self._held_bytes >= _HELD_BYTES:
            self._flush()

    def finish(self) -> None:
        """Write the files; the bucket files go."""
        self._flush()
        with ExitStack() as stack:
            sizes = {"ids": (self.dtype, self.tokens), "mask": (np.dtype("u1"), self.tokens)}
            sizes |= {"offsets": (np.dtype("<u8"), self.rows + 1)} | {name: (ROW[name], self.rows) for name in _COLUMNS}
            files = {name: stack.enter_context(self._array(name, *size)) for name, size in sizes.items()}
            files["offsets"].write(bytes(8))
            end = np.uint64(0)
            for number in range(len(self._held)):
                rows, starts, order = self._bucket(number)
                for part in ("ids", "mask"):
                    self._copy(number, part, files[part], starts, order)
                rows = rows[order]
                ends = end + np.cumsum(rows["length"], dtype="<u8")
                end = ends[-1] if len(ends) else end
                files["offsets"].write(ends.tobytes())
                for name in _COLUMNS:
                    files[name].write(rows[name].tobytes())

    def _bucket(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return a bucket's rows as they came, the token that each begins at (and the end), and their new order."""
        path = self._path(number, "row")
        rows = np.fromfile(path, ROW) if path.exists() else np.empty(0, ROW)
        path.unlink(missing_ok=True)
        starts = np.concatenate([[0], np.cumsum(rows["length"], dtype=np.int64)])
        return rows, starts, np.argsort(rows["key"], kind="stable")

    def _copy(self, number: int, part: str, out: BinaryIO, starts: np.ndarray, order: np.ndarray) -> None:
        path = self._path(number, part)
        if not len(order):
            return
        raw = memoryview(path.read_bytes())
        size = len(raw) // int(starts[-1])
        begins, ends = (starts[order] * size).tolist(), (starts[order + 1] * size).tolist()
        for begin, end in zip(begins, ends, strict=True):
            out.write(raw[begin:end])
        path.unlink()

    def _flush(self) -> None:
        for number, held in enumerate(self._held):
            if not held["row"]:
                continue
            for part in _PARTS:
                with self._path(number, part).open("ab") as stream:
                    stream.write(held[part])
                held[part].clear()
        self._held_bytes = 0

    def _path(self, number: int, part: str) -> Path:
        return self.folder / f"bucket-{number:04d}.{part}"

    def _array(self, name: str, dtype: np.dtype[Any], length: int) -> BinaryIO:
        """Open a .npy file behind its header: written as a stream, because mapped pages would count as memory."""
        stream = (self.folder / f"{name}.npy").open("wb")
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (length,)}
        np.lib.format.write_array_header_1_0(stream, header)
        return stream


class TokenShards(Sequence[TokenRow]):
    """The rows of a folder that a `ShardWriter` finished; pages are read when they are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.offsets = self._open("offsets")
        self.ids, self.mask = self._open("ids"), self._open("mask")
        self.record, self.source, self.document = (self._open(name) for name in _COLUMNS)
        if len(self.ids) != len(self.mask) or len(self.ids) != int(self.offsets[-1]):
            raise StageFailedError("token shards that do not belong together", where=str(folder))

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process opens the files itself."""
        return TokenShards, (self.folder,)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: Any) -> Any:
        """Return row number `row`; no slices."""
        if not 0 <= row < len(self):
            raise IndexError(row)
        begin, end = int(self.offsets[row]), int(self.offsets[row + 1])
        places = int(self.record[row]), int(self.source[row]), bool(self.document[row])
        return TokenRow(self.ids[begin:end], self.mask[begin:end], *places)

    @property
    def tokens(self) -> int:
        """Tokens of all rows."""
        return int(self.offsets[-1])

    def lengths(self) -> np.ndarray:
        """Tokens of each row: (rows,) int64, in memory."""
        return np.diff(self.offsets.astype(np.int64))

    def _open(self, name: str) -> np.ndarray:
        array: np.ndarray = np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        return array


def built_once(run: Run, unit: str, build: Callable[[Path], dict[str, Any]]) -> tuple[Path, dict[str, Any]]:
    """Return the folder of a unit and its report: as committed, else built by the leader while other ranks wait.

    Args:
        run: whose directory holds it, below `run/shards/`.
        unit: named by what decides its content, so that other content has another name.
        build: fills an empty folder and returns the report.

    """
    place = f"run/shards/{unit}"
    report = run.committed(unit)
    while report is None and not run.leader:  # no barrier: ranks may not have found each other yet
        run.stop.check()
        time.sleep(_WAIT_S)
        report = run.committed(unit)
    if report is None:
        with run.unit(unit) as work:
            with work.directory(place) as folder:
                told = build(folder)
            report = work.commit({**told, "by_content": True})
    return run.path / place, report
