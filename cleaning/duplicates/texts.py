"""The texts that are compared, on disk: read row by row, in any order, without reading the file.

A file holds two texts per row: all that is said in it, and the assistant's part of that (which repeats the first, and
so costs a few bytes). Eight rows are a zstd frame, compressed with the file's first texts as their dictionary, which
spares a tenth. First comes the dictionary, then the frames, the lengths of the texts in bytes (uint32, n × 2), of each
frame its first row and its size (uint32, m × 2), and the three numbers n, m and bytes of the dictionary (uint64).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import zstandard

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS_PER_FRAME = 8
_LEVEL = 1
_TAIL = 24
_DICTIONARY = 32 << 10
_WORTH_ONE = 8  # times its size: a smaller file has none


class TextWriter:
    """Writes a file of texts batch by batch."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._compressor: zstandard.ZstdCompressor | None = None
        self._dictionary = b""
        self._lengths = [np.empty((0, 2), np.uint32)]
        self._frames: list[tuple[int, int]] = []
        self._rows = 0

    def write(self, texts: pa.Array) -> None:
        """Append rows.

        Args:
            texts: LargeStringArray (2 × n): text and answer of each row in turn.

        """
        rows = len(texts) // 2
        if not rows:
            return
        _, offsets, data = texts.buffers()
        ends = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + 2 * rows + 1]
        self._lengths.append(np.diff(ends).astype(np.uint32).reshape(rows, 2))
        firsts = range(0, rows, ROWS_PER_FRAME)
        cuts = [*ends[:-1:2][::ROWS_PER_FRAME].tolist(), int(ends[-1])]
        content = memoryview(data or b"")
        if self._compressor is None:
            self._compressor = self._begin(content[cuts[0] : cuts[-1]])
        compress = self._compressor.compress
        frames = [compress(content[start:end]) for start, end in pairwise(cuts)]
        self._frames += [(self._rows + first, len(frame)) for first, frame in zip(firsts, frames, strict=True)]
        self._file.write(b"".join(frames))
        self._rows += rows

    def _begin(self, content: memoryview) -> zstandard.ZstdCompressor:
        """Write the dictionary that the first texts make."""
        if len(content) < _WORTH_ONE * _DICTIONARY:
            return zstandard.ZstdCompressor(level=_LEVEL)
        self._dictionary = bytes(content[:_DICTIONARY])
        self._file.write(self._dictionary)
        known = _known(self._dictionary)
        known.precompute_compress(level=_LEVEL)
        return zstandard.ZstdCompressor(level=_LEVEL, dict_data=known)

    def close(self) -> None:
        """Write the lengths and close the file."""
        frames = np.array(self._frames, np.uint32).reshape(-1, 2)
        tail = np.array([self._rows, len(frames), len(self._dictionary)], np.uint64)
        for array in (np.concatenate(self._lengths), frames, tail):
            self._file.write(array.astype(array.dtype.newbyteorder("<")).tobytes())
        self._file.close()


def _known(dictionary: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(dictionary, dict_type=zstandard.DICT_TYPE_RAWCONTENT)


class TextReader:
    """Reads rows of one file of texts: only what is asked for, and nothing stays mapped."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        size = path.stat().st_size
        rows, frames, known = (int(number) for number in self._numbers("<u8", 3, size - _TAIL))
        places = size - _TAIL - 8 * frames
        self.lengths: NDArray[np.uint32] = self._numbers("<u4", 2 * rows, places - 8 * rows).reshape(-1, 2)
        table = self._numbers("<u4", 2 * frames, places).reshape(-1, 2)
        self._firsts = table[:, 0]
        self._starts = np.concatenate([[known], known + np.cumsum(table[:, 1], dtype=np.int64)]).tolist()
        self._unpack = zstandard.ZstdDecompressor(dict_data=_known(self._bytes(0, known)) if known else None)

    def _bytes(self, start: int, end: int) -> bytes:
        return os.pread(self._file.fileno(), end - start, start)

    def _numbers(self, kind: str, count: int, start: int) -> NDArray[Any]:
        return np.frombuffer(self._bytes(start, start + count * np.dtype(kind).itemsize), kind)

    def read(self, rows: NDArray[Any]) -> tuple[pa.Array, pa.Array]:
        """Return the texts and the answers of rows, ascending, each once: two LargeStringArrays."""
        used = np.unique(np.searchsorted(self._firsts, rows, side="right") - 1)
        starts, unpack = self._starts, self._unpack.decompress
        pieces = [unpack(self._bytes(starts[frame], starts[frame + 1])) for frame in used.tolist()]
        ends = np.append(self._firsts, len(self.lengths))
        wanted = _ranges(ends[used], ends[used + 1])
        places = np.concatenate([[0], np.cumsum(self.lengths[wanted].ravel(), dtype=np.int64)])
        buffers = [None, pa.py_buffer(places), pa.py_buffer(b"".join(pieces))]
        unpacked = pa.LargeStringArray.from_buffers(len(places) - 1, buffers[1], buffers[2])
        mine = 2 * np.searchsorted(wanted, rows)
        return unpacked.take(pa.array(mine)), unpacked.take(pa.array(mine + 1))


def _ranges(starts: NDArray[Any], ends: NDArray[Any]) -> NDArray[np.int64]:
    """Return the numbers of all ranges [start, end), one behind the other."""
    sizes = ends.astype(np.int64) - starts
    return np.arange(sizes.sum()) + np.repeat(starts - np.cumsum(sizes) + sizes, sizes)


def interleaved(texts: pa.Array, answers: pa.Array) -> pa.Array:
    """Return text and answer of each row in turn, as `TextWriter.write` takes them."""
    rows = len(texts)
    if not pc.sum(pc.binary_length(answers)).as_py():  # documents: the same bytes, cut once more
        _, offsets, data = texts.cast(pa.large_string()).buffers()
        ends = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + rows + 1]
        return pa.LargeStringArray.from_buffers(2 * rows, pa.py_buffer(np.repeat(ends, 2)[1:].copy()), data)
    order = np.stack([np.arange(rows), np.arange(rows, 2 * rows)], axis=1).ravel()
    both: Sequence[pa.Array] = [texts.cast(pa.large_string()), answers.cast(pa.large_string())]
    return pa.concat_arrays(both).take(pa.array(order))
