"""Preference material: rows that are kept and share a prompt, but not the answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from cleaning.duplicates.arrays import unpacked
from cleaning.duplicates.cluster import components
from cleaning.duplicates.exact import first_equals, keys_of
from cleaning.duplicates.outcome import KEPT
from cleaning.duplicates.parts import WORK, Part, by_part, load_parts
from cleaning.duplicates.verify import preferences_file
from cleaning.tasks import unit_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

GROUPS_FILE = "run/work/prompt_groups.parquet"
GROUPS = {"prompt_group": pl.String, "id": pl.String, "source_file": pl.String, "source_row": pl.Int64}


def find_equal_prompts(task: dict[str, Any]) -> dict[str, Any]:
    """Find kept rows with an equal prompt in one slice of the keys: `prompts-<piece>.npy`, uint32 (n, 2).

    Exact copies are dropped by now, so what rows with equal prompts do not share is the answer.

    Args:
        task: `piece`, `pieces`, and the unit's keys.

    """
    unit, parts = unit_of(task), load_parts(task["root"])
    kept = np.load(Path(task["root"]) / KEPT, mmap_mode="r")
    keys = keys_of(parts, "prompt", task, lambda part, _: kept[part.offset : part.offset + part.rows])
    rows, firsts = first_equals(*keys)
    with unit.file(prompts_file(task["piece"])) as temporary, temporary.open("wb") as file:
        np.save(file, np.stack([rows, firsts], axis=1))
    return unit.commit({"rows": len(rows)})


def prompts_file(piece: int) -> str:
    """Return the path, in the run directory, of the equal prompts of one slice."""
    return f"{WORK}/prompts-{piece:04d}.npy"


def group_prompts(task: dict[str, Any]) -> dict[str, Any]:
    """Write `run/work/prompt_groups.parquet`: a line for every row of a group, by row; a group is called by its first.

    Args:
        task: `pieces` (of the keys), `ranges` (files of pairs), and the unit's keys.

    """
    unit, root, parts = unit_of(task), Path(task["root"]), load_parts(task["root"])
    left, right = _pairs(root, task["pieces"], task["ranges"])
    members = np.unique(np.concatenate([left, right]))
    labels = components(len(members), *(np.searchsorted(members, side).astype(np.uint32) for side in (left, right)))
    table = _described(parts, members)
    groups = table.with_columns(prompt_group=table["id"].gather(labels)).select(GROUPS.keys()).cast(GROUPS)  # type: ignore[arg-type]
    with unit.file(GROUPS_FILE) as temporary:
        groups.write_parquet(temporary, compression="zstd", row_group_size=1 << 16)
    return unit.commit({"prompt_groups": len(np.unique(labels)), "rows": len(groups)})


def _pairs(root: Path, pieces: int, ranges: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return pairs of rows with equal prompts, and of near-equal rows whose answers differ; both rows are kept."""
    kept = np.load(root / KEPT, mmap_mode="r")
    equal = np.concatenate([np.empty((0, 2), np.uint32), *(np.load(root / prompts_file(n)) for n in range(pieces))])
    near = [np.load(root / preferences_file(number)) for number in range(ranges)]
    left, right = unpacked(np.concatenate([np.empty(0, np.uint64), *near]))
    stay = kept[left] & kept[right]
    return np.concatenate([equal[:, 1], left[stay]]), np.concatenate([equal[:, 0], right[stay]])


def _described(parts: list[Part], rows: NDArray[np.uint32]) -> pl.DataFrame:
    """Return `id, source_file, source_row` of ascending rows."""
    found = [pl.DataFrame(schema={name: kind for name, kind in GROUPS.items() if name != "prompt_group"})]
    for part, _, places in by_part(parts, rows):
        columns = part.columns("id", "source_row").take(places)
        given = {"id": columns["id"].to_pylist(), "source_file": [part.file] * len(places)}
        found.append(pl.DataFrame({**given, "source_row": columns["source_row"].to_numpy()}, schema=found[0].schema))
    return pl.concat(found)
