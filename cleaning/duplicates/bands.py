"""Candidates for near duplicates: rows that share a band of their signatures, band by band, bucket by bucket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cleaning.duplicates.arrays import packed
from cleaning.duplicates.candidates import candidate_pairs
from cleaning.duplicates.exact import load_copies
from cleaning.duplicates.parts import WHOLE, WORK, band_of, gather_signatures, load_parts, own_offset, total_rows
from cleaning.tasks import unit_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

REPRESENTATIVES = f"{WORK}/representatives.npy"

_BYTES_PER_PAIR = 24  # while pairs are packed and sorted
_COARSE = np.uint32(16)


def choose_representatives(task: dict[str, Any]) -> dict[str, Any]:
    """Mark the rows that near duplicates are looked for among: whole ones that are not exact copies.

    Writes `representatives.npy`, bool (all rows,).

    Args:
        task: `pieces`, of the exact copies, and the unit's keys.

    """
    unit, parts = unit_of(task), load_parts(task["root"])
    marked = np.zeros(total_rows(parts), np.bool_)
    for part in parts:
        mine = part.columns("compared")["compared"].to_numpy() == WHOLE
        marked[part.offset : part.offset + part.rows] = mine & part.kept() if part.earlier else mine
    copies, _ = load_copies(Path(task["root"]), task["pieces"])
    marked[copies] = False
    with unit.file(REPRESENTATIVES) as temporary, temporary.open("wb") as file:
        np.save(file, marked)
    return unit.commit({"rows": int(marked.sum())})


def find_candidates(task: dict[str, Any]) -> dict[str, Any]:
    """Find the pairs of rows that share one of some bands: `candidates-<unit>-<n>.npy`, packed, ascending, each once.

    Args:
        task: `bands`, `piece` of `pieces` (of the hashes), `near` (settings), `memory_budget`, and the unit's keys.

    """
    unit, search = unit_of(task), _Search(task)
    names: list[str] = []
    for pairs in search.sorted_runs():
        names.append(f"{WORK}/{task['unit']}-{len(names):04d}.npy")
        with unit.file(names[-1]) as temporary, temporary.open("wb") as file:
            np.save(file, pairs)
    counts = {"large_buckets": search.large_buckets, "large_rows": search.large_rows}
    return unit.commit({"candidates": names, "pairs": search.pairs, **counts})


class _Search:
    """The buckets of one task, and what was counted on the way."""

    def __init__(self, task: dict[str, Any]) -> None:
        self._task, self._near = task, task["near"]
        self._parts = load_parts(task["root"])
        self._own = own_offset(self._parts)
        self._room = task["memory_budget"] // 4
        self._marked = np.load(Path(task["root"]) / REPRESENTATIVES, mmap_mode="r")
        self.large_buckets = self.large_rows = self.pairs = 0

    def sorted_runs(self) -> Iterator[NDArray[np.uint64]]:
        """Give all pairs in runs that memory can hold, each sorted and without repeats."""
        held: list[NDArray[np.uint64]] = []
        for band in self._task["bands"]:
            for pairs in self._band(band):
                held.append(pairs)
                if sum(map(len, held)) * _BYTES_PER_PAIR > self._room:
                    yield self._run(held)
                    held = []
        if held:
            yield self._run(held)

    def _run(self, held: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
        pairs = np.unique(np.concatenate(held))
        self.pairs += len(pairs)
        return pairs

    def _band(self, band: int) -> Iterator[NDArray[np.uint64]]:
        hashes, rows = self._read(band)
        for mine, large in _cut(hashes, self._near["bucket_rows"], self._room // _BYTES_PER_PAIR):
            ascending = np.sort(mine)
            left, right = self._large(rows[ascending]) if large else self._all(hashes[ascending], rows[ascending])
            yield packed(left, right)[right >= self._own]  # what earlier runs kept was compared there

    def _read(self, band: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Return hash and row number of every representative whose hash is in the task's slice."""
        hashes, rows = [], []
        for part in self._parts:
            found = band_of(part, band, self._near["bands"])
            mine = self._marked[part.offset : part.offset + part.rows] & (
                found % np.uint32(self._task["pieces"]) == self._task["piece"]
            )
            places = np.flatnonzero(mine)
            hashes.append(found[places])
            rows.append((places + part.offset).astype(np.uint32))
        return np.concatenate(hashes), np.concatenate(rows)

    def _all(self, hashes: NDArray[np.uint32], rows: NDArray[np.uint32]) -> tuple[Any, Any]:
        """Return all pairs of small buckets; signatures are not asked for."""
        none = np.empty((0, self._near["permutations"]), np.uint32)
        near = self._near
        found = candidate_pairs(hashes.astype(np.uint64), rows, none, near["threshold"], near["bucket_rows"])
        return found.left, found.right

    def _large(self, rows: NDArray[np.uint32]) -> tuple[Any, Any]:
        """Return the pairs of one large bucket's rows with its representatives.

        A bucket whose signatures are too many for memory is led piece by piece; the leaders of all pieces are then
        led in the same way.
        """
        self.large_buckets += 1
        self.large_rows += len(rows)
        return self._led(rows)

    def _led(self, rows: NDArray[np.uint32]) -> tuple[Any, Any]:
        near, most = self._near, max(2, self._room // (4 * self._near["permutations"]))
        left, right = [], []
        for start in range(0, len(rows), most):
            piece = rows[start : start + most]
            signatures = gather_signatures(self._parts, piece, near["permutations"])
            own = np.arange(len(piece), dtype=np.uint32)
            same = np.zeros(len(piece), np.uint64)
            limit = min(near["bucket_rows"], len(piece) - 1)  # of a last, small piece too only leaders' pairs
            found = candidate_pairs(same, own, signatures, near["threshold"], limit)
            left.append(piece[found.left])
            right.append(piece[found.right])
        lefts, rights = np.concatenate(left), np.concatenate(right)
        leaders = np.setdiff1d(rows, rights)
        if len(rows) > most and len(leaders) < len(rows):
            more_left, more_right = self._led(leaders)
            return np.concatenate([lefts, more_left]), np.concatenate([rights, more_right])
        return lefts, rights


def _cut(hashes: NDArray[np.uint32], bucket_rows: int, most_pairs: int) -> Iterator[tuple[NDArray[np.int64], bool]]:
    """Give the places of rows bucket by bucket, in groups of buckets with few enough pairs; large buckets alone.

    Mostly all of them make one group, seen without a sort: from how many hashes share their upper bits.
    """
    coarse = np.bincount(hashes >> _COARSE).astype(np.int64) if len(hashes) else np.zeros(1, np.int64)
    if coarse.max() <= bucket_rows and int((coarse * (coarse - 1) // 2).sum()) <= most_pairs:
        yield np.arange(len(hashes)), False
        return
    order = np.argsort(hashes, kind="stable")
    begins = np.flatnonzero(np.append(True, np.diff(hashes[order].astype(np.int64)) != 0))
    sizes = np.diff(np.append(begins, len(order)))
    large = sizes > bucket_rows
    for bucket in np.flatnonzero(large):
        yield order[begins[bucket] : begins[bucket] + sizes[bucket]], True
    pairs = np.where(large, 0, sizes.astype(np.int64) * (sizes - 1) // 2)
    group = np.where(large, -1, np.cumsum(pairs) // max(1, most_pairs))
    group[(sizes == 1)] = -1
    of_row = np.repeat(group, sizes)
    for number in np.unique(group[group >= 0]):
        yield order[of_row == number], False
