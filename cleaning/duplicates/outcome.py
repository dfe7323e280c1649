"""The outcome of the search: clusters, who survives, and of which row each of the others is a duplicate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from cleaning.duplicates.cluster import components, neighbours, survivors
from cleaning.duplicates.exact import REASON as EXACT
from cleaning.duplicates.exact import load_copies
from cleaning.duplicates.parts import Part, by_part, load_parts, own_offset
from cleaning.duplicates.verify import EDGE, edges_file
from cleaning.tasks import unit_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEAR = "near_duplicate"
DUPLICATES_FILE = "run/work/duplicates.parquet"
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
    """Write `run/work/duplicates.parquet`: a line for every duplicate of ours, by (part, source_row).

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
    counts = dict(found["reason"].value_counts().sort("reason").iter_rows())
    with unit.file(DUPLICATES_FILE) as temporary:
        found.write_parquet(temporary, compression="zstd", row_group_size=1 << 16)
    return unit.commit({"copies": len(found), "by_reason": counts, "clusters": found["cluster"].n_unique()})


def _near(root: Path, parts: list[Part], ranges: int, most: int) -> pl.DataFrame:
    """Return `row, neighbour, similarity, survivor` of the rows that near duplicates drop."""
    members = _members(root, ranges, own_offset(parts))
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
