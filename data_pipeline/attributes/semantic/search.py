"""Near rows by their vectors: each row against the kept rows of its own cluster and of the clusters next to it.

SemDeDup (Abbas and others, arXiv 2303.09540) compares inside a cluster, so that n rows in √n clusters cost n^1.5, and
misses pairs that a border cuts. Here a row also looks into the clusters whose centres are nearest to it, which is
where a near row can be.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from data_pipeline.attributes.semantic.relations import Relations

_BATCH = 4096  # rows that are decided together; they are compared with each other too
_CELLS = 1 << 24  # cosines in memory at once
_LOOKS = 64  # kept rows of a cluster that may remove a row: the nearest ones are asked
_SHOWN = 4  # pairs that are looked at whatever they are, so that a row's nearest neighbour is known

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # row, row before it, cosine, relation


class Near(NamedTuple):
    """For n rows in their order of precedence.

    Args:
        other: the row of higher precedence that a row is near to, -1 where there is none; int64 [n].
        cosine: of the two, float32 [n]; 0 where there is none.
        relation: what they are to each other; int8 [n].
        removed: the relation is one of those that remove a row; bool [n]. `other` is then a row that stays.

    """

    other: np.ndarray
    cosine: np.ndarray
    relation: np.ndarray
    removed: np.ndarray


def near_clusters(vectors: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Return the own cluster and those with the next `count` nearest centres, int64 [n, 1 + count].

    Args:
        vectors: float32 [n, d] of length 1.
        labels: cluster of each row, 0 … k-1, int64 [n].
        count: of further clusters; at most k - 1.

    """
    k = int(labels.max(initial=-1)) + 1
    count = min(count, k - 1)
    if count < 1:
        return labels[:, None]
    centres = np.zeros((k, vectors.shape[1]), dtype=np.float32)
    np.add.at(centres, labels, vectors)
    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)
    looked = np.empty((len(vectors), count + 1), dtype=np.int64)
    for part in _parts(len(vectors), k):
        cosines = vectors[part] @ centres.T
        cosines[np.arange(len(cosines)), labels[part]] = 2  # the own one comes first, whatever its centre
        nearest = np.argpartition(-cosines, count, axis=1)[:, : count + 1]
        looked[part] = nearest
    return looked


def search(
    vectors: np.ndarray,
    labels: np.ndarray,
    looked: np.ndarray,
    least: float,
    relations: Relations,
) -> Near:
    """Decide rows one after another: a row goes when it is near to a kept one in a way that removes it.

    Args:
        vectors: float32 [n, d] of length 1, in order of precedence: the first of two near rows is kept.
        labels: cluster of each row, int64 [n].
        looked: the clusters in which a row's neighbours are looked for, int64 [n, m].
        least: cosine from which two rows are near.
        relations: what two rows are to each other, and what removes a row.

    """
    n = len(vectors)
    near = Near(np.full(n, -1), np.zeros(n, np.float32), np.zeros(n, np.int8), np.zeros(n, bool))
    kept = _Kept(vectors, labels)
    for start in range(0, n, _BATCH):
        batch = np.arange(start, min(start + _BATCH, n))
        kept.add(batch)
        _decide(near, _pairs(kept, batch, looked, least, relations), relations)
        kept.remove(batch[near.removed[batch]])
    return near


class _Kept:
    """The vectors of rows that are kept so far, those of a cluster side by side."""

    def __init__(self, vectors: np.ndarray, labels: np.ndarray) -> None:
        self.vectors, self.labels = vectors, labels
        sizes = np.bincount(labels) if len(labels) else np.zeros(0, np.int64)
        self.starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        self.filled = np.zeros(len(sizes), dtype=np.int64)
        self.rows = np.zeros(len(labels), dtype=np.int64)
        self.beside = np.zeros_like(vectors)

    def add(self, rows: np.ndarray) -> None:
        for cluster, members in _grouped(self.labels[rows], rows):
            start = self.starts[cluster] + self.filled[cluster]
            self.rows[start : start + len(members)] = members
            self.beside[start : start + len(members)] = self.vectors[members]
            self.filled[cluster] += len(members)

    def remove(self, rows: np.ndarray) -> None:
        for cluster, members in _grouped(self.labels[rows], rows):
            here = slice(self.starts[cluster], self.starts[cluster] + self.filled[cluster])
            stay = ~np.isin(self.rows[here], members)
            there = slice(here.start, here.start + int(stay.sum()))
            self.rows[there], self.beside[there] = self.rows[here][stay], self.beside[here][stay]
            self.filled[cluster] = there.stop - there.start

    def of(self, cluster: int) -> tuple[np.ndarray, np.ndarray]:
        here = slice(self.starts[cluster], self.starts[cluster] + self.filled[cluster])
        return self.rows[here], self.beside[here]


def _pairs(kept: _Kept, batch: np.ndarray, looked: np.ndarray, least: float, relations: Relations) -> Pairs:
    """Return the pairs (row of the batch, row before it) that are near, with cosine and relation."""
    hopeful = relations.hopeful()
    found = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, np.int8))]
    for cluster, asking in _grouped(looked[batch].ravel(), np.repeat(batch, looked.shape[1])):
        members, beside = kept.of(cluster)
        for part in _parts(len(asking), len(members)):
            rows = asking[part]
            cosines = kept.vectors[rows] @ beside.T
            at, to = np.nonzero((cosines >= least) & (members[None, :] < rows[:, None]))
            pairs = _sorted((rows[at], members[to], cosines[at, to], relations.quick(rows[at], members[to])))
            place = _places(pairs[0])
            undecided = pairs[1] >= batch[0]
            wanted = (place < _SHOWN) | hopeful[pairs[3]] & (undecided | (place < _LOOKS))
            rows, others, near, known = pairs
            found.append((rows[wanted], others[wanted], near[wanted], known[wanted]))
    rows, others, near, known = (np.concatenate(column) for column in zip(*found, strict=True))
    return _sorted((rows, others, near, known))


def _sorted(pairs: Pairs) -> Pairs:
    """Return pairs by row, the nearest first."""
    rows, others, cosines, known = pairs
    order = np.lexsort((others, -cosines, rows))
    return rows[order], others[order], cosines[order], known[order]


def _places(rows: np.ndarray) -> np.ndarray:
    """Return the place of each pair among those of its row."""
    borders = np.flatnonzero(np.diff(rows, prepend=-1))
    return np.arange(len(rows)) - np.repeat(borders, np.diff(borders, append=len(rows)))


def _decide(near: Near, pairs: Pairs, relations: Relations) -> None:
    """Go through the pairs of each row, nearest first, up to one that removes it; note that one, else the first."""
    for row, other, cosine, known in zip(*(column.tolist() for column in pairs), strict=True):
        if near.removed[row] or near.removed[other]:
            continue
        relation = relations.closer(known, row, other)
        if (removes := relation in relations.removing) or near.other[row] < 0:
            near.other[row], near.cosine[row], near.relation[row], near.removed[row] = other, cosine, relation, removes


def _grouped(labels: np.ndarray, values: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each label with its values, in their order."""
    order = np.argsort(labels, kind="stable")
    labels, values = labels[order], values[order]
    borders = np.flatnonzero(np.diff(labels, prepend=-1))
    for start, size in zip(borders, np.diff(borders, append=len(labels)), strict=True):
        yield int(labels[start]), values[start : start + size]


def _parts(rows: int, width: int) -> Iterator[slice]:
    """Yield slices of rows so that rows × width stay within memory."""
    step = max(1, _CELLS // max(1, width))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))
