"""The outcome of the search: clusters, who survives, and of which row each of the others is a duplicate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from cleaning.duplicates.cluster import components, neighbours, survivors
from cleaning.duplicates.exact import REASON as EXACT
from cleaning.duplicates.exact import load_copies
from cleaning.duplicates.parts import DUPLICATES_FILE, SHORT, WORK, Part, by_part, load_parts, own_offset, total_rows
from cleaning.duplicates.verify import edges_file
from cleaning.tasks import unit_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEAR = "near_duplicate"
KEPT = f"{WORK}/kept.npy"
DUPLICATES = {
    "part": pl.String,
    "source_row": pl.Int64,
    "reason": pl.String,
    "duplicate_of": pl.String,
    "similarity": pl.Float32,
    "cluster": pl.String,
}

_BYTES_PER_EDGE = 96


def decide(task: dict[str, Any]) -> dict[str, Any]:
    """Write `run/work/duplicates.parquet`: a line for every duplicate of ours, by (part, source_row); and `kept.npy`.

    Of near duplicates `duplicate_of` is the neighbour on a shortest path to the survivor, `similarity` their exact
    Jaccard; of an exact copy the representative, whose own cluster it shares. Memory: 1 byte per row, 60 per row that
    has a near duplicate, and a share of the budget for pairs.

    Args:
        task: `pieces` (of the exact copies), `ranges` (files of edges), `memory_budget`, and the unit's keys.

    """
    unit, root, parts = unit_of(task), Path(task["root"]), load_parts(task["root"])
    near = _near(root, parts, task["ranges"], task["memory_budget"] // 4 // _BYTES_PER_EDGE)
    copies, firsts = load_copies(root, task["pieces"])
    found = _found(parts, near, copies, firsts)
    dropped = np.concatenate([copies, near["row"].to_numpy()])
    with unit.file(KEPT) as temporary, temporary.open("wb") as file:
        np.save(file, _kept(parts, dropped))
    counts = dict(found["reason"].value_counts().sort("reason").iter_rows())
    with unit.file(DUPLICATES_FILE) as temporary:
        found.write_parquet(temporary, compression="zstd", row_group_size=1 << 16)
    report = {"copies": len(found), "by_reason": counts, "clusters": found["cluster"].n_unique()}
    return unit.commit({"settings": task["settings"], **report})


def _kept(parts: list[Part], dropped: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Tell which rows stay, of earlier runs none (all rows,)."""
    kept = np.zeros(total_rows(parts), np.bool_)
    for part in parts:
        if not part.earlier:
            kept[part.offset : part.offset + part.rows] = part.columns("compared")["compared"].to_numpy() >= SHORT
    kept[dropped] = False
    return kept


def _near(root: Path, parts: list[Part], ranges: int, most: int) -> pl.DataFrame:
    """Return `row, neighbour, similarity, survivor` of the rows that near duplicates drop."""
    members = _members(root, ranges, total_rows(parts))
    labels = np.arange(len(members), dtype=np.uint32)
    for edges in _edges(root, ranges, most):
        left, right = (np.searchsorted(members, edges[name]).astype(np.uint32) for name in ("left", "right"))
        before = np.arange(len(members), dtype=np.uint32)
        labels = components(len(members), np.concatenate([before, left]), np.concatenate([labels, right]))
    best = survivors(labels, _scores(parts, members))
    nearest, similarity = np.arange(len(members), dtype=np.uint32), np.ones(len(members))
    for mine, left, right, equal in _clustered(root, ranges, most, members, labels):
        places, theirs = neighbours(np.searchsorted(mine, best[mine]).astype(np.uint32), left, right, equal)
        nearest[mine], similarity[mine] = mine[places], theirs
    dropped = np.flatnonzero(best != np.arange(len(members)))
    columns = {"neighbour": members[nearest[dropped]], "survivor": members[best[dropped]]}
    return pl.DataFrame({"row": members[dropped], **columns, "similarity": similarity[dropped]})


def _members(root: Path, ranges: int, rows: int) -> NDArray[np.uint32]:
    """Return the rows that are in any pair, ascending."""
    there = np.zeros(rows, np.bool_)
    for number in range(ranges):
        edges = np.load(root / edges_file(number), mmap_mode="r")
        there[edges["left"]] = there[edges["right"]] = True
    return np.flatnonzero(there).astype(np.uint32)


def _edges(root: Path, ranges: int, most: int) -> Iterator[NDArray[Any]]:
    """Give all edges, about `most` at a time."""
    held: list[NDArray[Any]] = []
    for number in range(ranges):
        file = np.load(root / edges_file(number), mmap_mode="r")
        for start in range(0, len(file), most):
            held.append(file[start : start + most])
            if sum(map(len, held)) >= most:
                yield np.concatenate(held)
                held = []
    if held:
        yield np.concatenate(held)


def _scores(parts: list[Part], members: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Return what decides who survives (m,): a row that an earlier run kept always does."""
    found = np.empty(len(members), np.float64)
    for part, mine, places in by_part(parts, members):
        found[mine] = np.inf if part.earlier else part.columns("score")["score"].to_numpy()[places]
    return found


def _clustered(
    root: Path, ranges: int, most: int, members: NDArray[np.uint32], labels: NDArray[np.uint32]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.uint32], NDArray[np.float64]]]:
    """Give whole clusters, as many as memory holds at a time: places of their members, and the pairs within them."""
    total = sum(len(np.load(root / edges_file(number), mmap_mode="r")) for number in range(ranges))
    groups = max(1, -(-total // most))
    for group in range(groups):
        mine = np.flatnonzero(labels % np.uint32(groups) == group)
        left, right, equal = [], [], []
        for edges in _edges(root, ranges, most):
            one, other = (np.searchsorted(members, edges[name]) for name in ("left", "right"))
            here = labels[one] % np.uint32(groups) == group
            left.append(np.searchsorted(mine, one[here]).astype(np.uint32))
            right.append(np.searchsorted(mine, other[here]).astype(np.uint32))
            equal.append(edges["similarity"][here])
        if left and len(mine):
            yield mine, np.concatenate(left), np.concatenate(right), np.concatenate(equal)


def _found(
    parts: list[Part], near: pl.DataFrame, copies: NDArray[np.uint32], firsts: NDArray[np.uint32]
) -> pl.DataFrame:
    """Return the lines of `duplicates.parquet`."""
    exact = pl.DataFrame({"row": copies, "neighbour": firsts}).join(
        near.select(neighbour="row", survivor="survivor"), on="neighbour", how="left", maintain_order="left"
    )
    exact = exact.with_columns(pl.col("survivor").fill_null(pl.col("neighbour")), similarity=pl.lit(1.0))
    columns = ("row", "reason", "neighbour", "similarity", "survivor")
    both = [exact.with_columns(reason=pl.lit(EXACT)), near.with_columns(reason=pl.lit(NEAR))]
    lines = pl.concat([frame.select(columns) for frame in both]).filter(pl.col("row") >= own_offset(parts)).sort("row")
    ids = _ids(parts, np.unique(np.concatenate([lines["neighbour"].to_numpy(), lines["survivor"].to_numpy()])))
    for row, name in (("neighbour", "duplicate_of"), ("survivor", "cluster")):
        lines = lines.join(ids.rename({"row": row, "id": name}), on=row, how="left", maintain_order="left")
    return (
        lines.join(_places(parts, lines["row"].to_numpy()), on="row")
        .sort("part", "source_row")
        .select(pl.col(name).cast(kind) for name, kind in DUPLICATES.items())
    )


def _ids(parts: list[Part], rows: NDArray[np.uint32]) -> pl.DataFrame:
    """Return `row, id` of ascending rows."""
    pieces = [part.columns("id")["id"].take(places) for part, _, places in by_part(parts, rows)]
    ids = [given for piece in pieces for given in piece.to_pylist()]
    return pl.DataFrame({"row": rows, "id": ids}, schema={"row": pl.UInt32, "id": pl.String})


def _places(parts: list[Part], rows: NDArray[np.uint32]) -> pl.DataFrame:
    """Return `row, part, source_row` of ascending rows."""
    found = [
        pl.DataFrame(
            {
                "row": rows[mine],
                "part": [part.name] * len(places),
                "source_row": part.columns("source_row")["source_row"].to_numpy()[places],
            },
            schema={"row": pl.UInt32, "part": pl.String, "source_row": pl.Int64},
        )
        for part, mine, places in by_part(parts, rows)
    ]
    return (
        pl.concat(found)
        if found
        else pl.DataFrame(schema={"row": pl.UInt32, "part": pl.String, "source_row": pl.Int64})
    )
