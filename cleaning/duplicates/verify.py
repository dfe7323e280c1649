"""Candidates verified: the exact Jaccard of two texts decides, and of two answers where there are answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cleaning.duplicates.arrays import packed, unpacked
from cleaning.duplicates.candidates import hopeful
from cleaning.duplicates.parts import WORK, Texts, gather_signatures, load_parts
from cleaning.duplicates.shingles import Ragged, shingle_sets
from cleaning.duplicates.similarity import jaccard
from cleaning.tasks import unit_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

EDGE = np.dtype([("left", "<u4"), ("right", "<u4"), ("similarity", "<f8")])

# Memory per byte of text: the text, its hashes, its set, sorting it; and per pair with its two signatures.
_BYTES_PER_TEXT_BYTE = 24
_BYTES_PER_PAIR = 64
_MOST_ROWS = 1 << 16


class Verified(NamedTuple):
    """Pairs that are duplicates, and pairs of equal prompts whose answers differ.

    Args:
        edges: of `EDGE`, the exact similarity of left and right.
        preferences: packed pairs.

    """

    edges: NDArray[Any]
    preferences: NDArray[np.uint64]


def verify(task: dict[str, Any]) -> dict[str, Any]:
    """Verify the candidates whose smaller row lies in a range: `edges-<n>.npy` and `preferences-<n>.npy`.

    Args:
        task: `start, end` (rows), `number`, `candidates` (files), `near`, `memory_budget`, and the unit's keys.

    """
    unit, root = unit_of(task), Path(task["root"])
    files = [np.load(root / name, mmap_mode="r") for name in task["candidates"]]
    checker = _Checker(task)
    found = [
        checker.check(pairs)
        for pairs in _pieces(files, task["start"], task["end"], task["memory_budget"] // 4 // _BYTES_PER_PAIR)
    ]
    edges = np.concatenate([np.empty(0, EDGE), *(one.edges for one in found)])
    preferences = np.concatenate([np.empty(0, np.uint64), *(one.preferences for one in found)])
    for name, array in ((edges_file(task["number"]), edges), (preferences_file(task["number"]), preferences)):
        with unit.file(name) as temporary, temporary.open("wb") as file:
            np.save(file, array)
    return unit.commit(
        {"pairs": checker.pairs, "read": checker.read, "edges": len(edges), "preferences": len(preferences)}
    )


def edges_file(number: int) -> str:
    """Return the path, in the run directory, of the edges of a range."""
    return f"{WORK}/edges-{number:05d}.npy"


def preferences_file(number: int) -> str:
    """Return the path, in the run directory, of the pairs of a range whose answers differ."""
    return f"{WORK}/preferences-{number:05d}.npy"


def _pieces(files: list[NDArray[np.uint64]], start: int, end: int, most: int) -> Iterator[NDArray[np.uint64]]:
    """Give the different pairs with start <= left < end, in order, at most about `most` candidates at a time."""
    bounds = packed(np.array([start, end], np.uint64), np.zeros(2, np.uint64))
    cuts = [np.searchsorted(file, bounds) for file in files]
    size = sum(int(high - low) for low, high in cuts)
    if size > most and end - start > 1:
        middle = (start + end) // 2
        yield from _pieces(files, start, middle, most)
        yield from _pieces(files, middle, end, most)
    elif size:
        yield np.unique(np.concatenate([file[low:high] for file, (low, high) in zip(files, cuts, strict=True)]))


class _Checker:
    """Compares pairs of one task; counts them and those whose texts were read."""

    def __init__(self, task: dict[str, Any]) -> None:
        self._near, self._room = task["near"], task["memory_budget"] // 4
        self._parts = load_parts(task["root"])
        self._texts = Texts(self._parts)
        self.pairs = self.read = 0

    def check(self, pairs: NDArray[np.uint64]) -> Verified:
        """Return what is verified of pairs, which are different and ascending."""
        self.pairs += len(pairs)
        found = [self._compare(piece) for piece in self._readable(self._hopeful(pairs))]
        return Verified(
            np.concatenate([np.empty(0, EDGE), *(one.edges for one in found)]),
            np.concatenate([np.empty(0, np.uint64), *(one.preferences for one in found)]),
        )

    def _hopeful(self, pairs: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return the pairs whose signatures do not rule them out, some signatures at a time."""
        most = max(1, self._room // (8 * self._near["permutations"]))
        left_out = [np.empty(0, np.uint64)]
        for start in range(0, len(pairs), most):
            some = pairs[start : start + most]
            left, right = unpacked(some)
            rows, places = np.unique(np.concatenate([left, right]), return_inverse=True)
            signatures = gather_signatures(self._parts, rows, self._near["permutations"])
            ones, others = np.split(places.ravel().astype(np.uint32), 2)
            left_out.append(some[hopeful(ones, others, signatures, self._near["threshold"])])
        return np.concatenate(left_out)

    def _readable(self, pairs: NDArray[np.uint64]) -> Iterator[NDArray[np.uint64]]:
        """Give the pairs in pieces whose texts fit in memory."""
        left, right = unpacked(pairs)
        rows, places = np.unique(np.concatenate([left, right]), return_inverse=True)
        bytes_of = self._texts.lengths(rows)[places.ravel()].reshape(2, -1).sum(axis=0)
        group = np.cumsum(bytes_of * _BYTES_PER_TEXT_BYTE) // max(1, self._room)
        for number in np.unique(group):
            yield pairs[group == number]

    def _compare(self, pairs: NDArray[np.uint64]) -> Verified:
        """Return what the texts say."""
        near = self._near
        self.read += len(pairs)
        left, right = unpacked(pairs)
        rows, places = np.unique(np.concatenate([left, right]), return_inverse=True)
        ones, others = np.split(places.ravel().astype(np.uint32), 2)
        texts, answers = self._texts.read(rows)
        similarity = jaccard(self._sets(texts), ones, others)
        equal = similarity >= near["threshold"]
        pairs, ones, others, similarity = pairs[equal], ones[equal], others[equal], similarity[equal]
        answered, alike = self._answers(answers, ones, others)
        edges = np.empty(int(alike.sum()), EDGE)
        edges["left"], edges["right"] = unpacked(pairs[alike])
        edges["similarity"] = similarity[alike]
        return Verified(edges, pairs[answered & ~alike])

    def _answers(
        self, answers: pa.Array, ones: NDArray[np.uint32], others: NDArray[np.uint32]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Tell of which pairs both rows have an answer, and of which the answers are alike (two absent ones are)."""
        there = pc.greater(pc.binary_length(answers), 0).to_numpy(zero_copy_only=False)
        answered = there[ones] & there[others]
        alike = there[ones] == there[others]
        asked = np.flatnonzero(answered)
        if not len(asked):
            return answered, alike
        rows, places = np.unique(np.concatenate([ones[asked], others[asked]]), return_inverse=True)
        left, right = np.split(places.ravel().astype(np.uint32), 2)
        texts = answers.take(pa.array(rows))
        sets = self._sets(texts)
        same = pc.equal(texts.take(pa.array(left)), texts.take(pa.array(right))).to_numpy(zero_copy_only=False)
        alike[asked] = same | (jaccard(sets, left, right) >= self._near["threshold"])
        return answered, alike

    def _sets(self, texts: pa.Array) -> Ragged:
        near = self._near
        return shingle_sets(texts, near["unit"], near["size"], near["word_size"])
