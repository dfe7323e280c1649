"""The search for duplicates, step by step: every step maps tasks over the executor and leaves arrays on disk.

copies → representatives → candidates (by band and slice of hashes) → verified pairs (by range of rows) → clusters →
preference material. What a step needs of rows, pass 1 has left (`traces`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cleaning.duplicates.config import Duplicates
from cleaning.duplicates.earlier import earlier_parts, settings_of
from cleaning.duplicates.parts import PARTS, Part, dump_parts, numbered, total_rows
from utils.runs.directory import Run

# Rows times bands of one task, and rows of one task of verification: tasks of a second or more, whatever the corpus.
_BANDS_PER_TASK = 1 << 20
_FEWEST_VERIFIED = 1 << 16
_VERIFICATIONS = 64

_BYTES_PER_ROW = 64  # of a slice while its buckets are made: hashes, rows, table, chains


def find_duplicates(run: Run, settings: Duplicates, tasks: Sequence[dict[str, Any]], rows: Sequence[int]) -> None:
    """Write `run/work/duplicates.parquet` and `run/work/prompt_groups.parquet`.

    Args:
        run: whose pass 1 is done.
        settings: what counts as a duplicate.
        tasks: of pass 1, by (source_file, source_row).
        rows: of each task.

    """
    if run.committed("duplicates") is not None and run.committed("prompt-groups") is not None:
        return
    parts = _numbered_parts(run, settings, tasks, rows)
    search = _Steps(run, settings, parts)
    pieces = search.copies()
    ranges = search.near(pieces) if settings.near is not None else 0
    search.outcome(pieces, ranges)


def _numbered_parts(run: Run, settings: Duplicates, tasks: Sequence[dict[str, Any]], rows: Sequence[int]) -> list[Part]:
    own = [
        (str(run.path), task["name"], size, False, task["partition"]["relative"])
        for task, size in zip(tasks, rows, strict=True)
    ]
    parts = numbered([*earlier_parts(settings), *own])
    if run.committed("dedup-parts") is None:
        with run.unit("dedup-parts") as unit:
            with unit.file(PARTS) as temporary:
                temporary.write_bytes(dump_parts(parts))
            unit.commit({"parts": len(parts)})
    return parts


class _Steps:
    """The steps of one search."""

    def __init__(self, run: Run, settings: Duplicates, parts: list[Part]) -> None:
        self._run, self._settings = run, settings
        self._rows = total_rows(parts)
        self._budget = {"memory_budget": settings.memory_budget}

    def copies(self) -> int:
        """Find exact copies; return into how many slices the keys were cut, 0 when they are not asked for."""
        if not self._settings.exact:
            return 0
        pieces = slices(self._rows, self._settings.memory_budget)
        tasks = [{"unit": f"dedup-copies-{piece:04d}", "piece": piece, "pieces": pieces} for piece in range(pieces)]
        self._run.map("cleaning.duplicates.exact:find_copies", tasks, "exact duplicates")
        return pieces

    def near(self, pieces: int) -> int:
        """Find and verify near duplicates; return how many files of pairs there are."""
        marking = [{"unit": "dedup-representatives", "pieces": pieces}]
        self._run.map("cleaning.duplicates.bands:choose_representatives", marking, "rows to compare")
        found = self._run.map("cleaning.duplicates.bands:find_candidates", self._band_tasks(), "candidates")
        files = [name for report in found for name in report["candidates"]]
        size = min(max(_FEWEST_VERIFIED, -(-self._rows // _VERIFICATIONS)), 1 << 18)
        starts = range(0, self._rows, size)
        shared = {"candidates": files, **self._near()}
        tasks = [
            {"unit": f"dedup-verified-{n:05d}", "number": n, "start": start, "end": start + size, **shared}
            for n, start in enumerate(starts)
        ]
        self._run.map("cleaning.duplicates.verify:verify", tasks, "verification")
        return len(tasks)

    def _near(self) -> dict[str, Any]:
        near = self._settings.near
        return {} if near is None else {"near": near.model_dump(mode="json"), **self._budget}

    def _band_tasks(self) -> list[dict[str, Any]]:
        """Return a task for each group of bands and slice of the hashes."""
        shared = self._near()
        bands, pieces = shared["near"]["bands"], slices(self._rows, self._settings.memory_budget)
        step = min(bands, max(1, _BANDS_PER_TASK // max(1, self._rows)))
        groups = [list(range(first, min(first + step, bands))) for first in range(0, bands, step)]
        return [
            {"unit": f"dedup-band-{group[0]:03d}-{n:04d}", "bands": group, "piece": n, "pieces": pieces, **shared}
            for group in groups
            for n in range(pieces)
        ]

    def outcome(self, pieces: int, ranges: int) -> None:
        """Decide who survives, and gather preference material among the kept."""
        counts = {"pieces": pieces, "ranges": ranges, **self._budget}
        deciding = [{"unit": "duplicates", "settings": settings_of(self._settings), **counts}]
        self._run.map("cleaning.duplicates.outcome:decide", deciding, "clusters")
        prompts = slices(self._rows, self._settings.memory_budget)
        tasks = [{"unit": f"dedup-prompts-{piece:04d}", "piece": piece, "pieces": prompts} for piece in range(prompts)]
        self._run.map("cleaning.duplicates.prompts:find_equal_prompts", tasks, "equal prompts")
        grouping = [{"unit": "prompt-groups", "pieces": prompts, "ranges": ranges}]
        self._run.map("cleaning.duplicates.prompts:group_prompts", grouping, "preference material")


def slices(rows: int, memory_budget: int) -> int:
    """Return into how many pieces a band, or the keys of all rows, is cut so that one fits in memory."""
    return max(1, -(-rows * _BYTES_PER_ROW // (memory_budget // 2)))
