"""Writes rows into files of several formats, and the truth beside them."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from cleaning.sample_maker.pieces import Draft
from cleaning.sample_maker.resemblance import row_jaccard

Placed = list[tuple[str, list[Draft]]]
"""Files in the order in which they are read, with rows in order."""


def alpaca(draft: Draft, number: int) -> dict[str, Any]:
    """Return the row as instruction, input, output."""
    instruction, _, extra = draft.turns[0].partition("\n")
    return {"instruction": instruction, "input": extra, "output": draft.turns[1]}


def data_list(draft: Draft, number: int) -> dict[str, Any]:
    """Return the row as a list of turns."""
    return {"id": str(1000 + number), "data": draft.turns}


def chat(draft: Draft, number: int) -> dict[str, Any]:
    """Return the row as messages."""
    return {"messages": [{"role": ("user", "assistant")[i % 2], "content": turn} for i, turn in enumerate(draft.turns)]}


def sharegpt(draft: Draft, number: int) -> dict[str, Any]:
    """Return the row as a shared conversation."""
    turns = [{"from": ("human", "gpt")[i % 2], "value": turn} for i, turn in enumerate(draft.turns)]
    return {"id": f"talk-{number}", "conversations": turns}


def dolly(draft: Draft, number: int) -> dict[str, Any]:
    """Return the row as instruction, context, response, category."""
    instruction, _, extra = draft.turns[0].partition("\n")
    return {"instruction": instruction, "context": extra, "response": draft.turns[1], "category": "open_qa"}


def document(draft: Draft, number: int) -> dict[str, Any]:
    """Return the row as a page."""
    return {"text": draft.turns[0], "page": number}


def content(draft: Draft, number: int) -> dict[str, Any]:
    """Return the row as a page whose text is called content."""
    return {"title": f"{draft.lang}-{number}", "content": draft.turns[0]}


Shape = Callable[[Draft, int], dict[str, Any]]


def write(folder: Path, name: str, rows: Sequence[Draft], shape: Shape) -> None:
    """Write one file; its name says how."""
    folder.mkdir(parents=True, exist_ok=True)
    if name.endswith(".parquet"):
        _write_parquet(folder / name, [shape(row, number) for number, row in enumerate(rows)])
        return
    lines = [row.raw if row.raw is not None else _json(shape(row, number)) for number, row in enumerate(rows)]
    if name.endswith(".json"):
        (folder / name).write_bytes(b"[\n" + b",\n".join(lines) + b"\n]\n")
        return
    data = b"".join(line + b"\n" for line in lines)
    (folder / name).write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _write_parquet(path: Path, rows: Iterable[Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(list(rows)), path, compression="zstd", row_group_size=100)


def dealt(
    drafts: Sequence[Draft], names: Sequence[str], takes: Callable[[str, Draft], bool], dice: random.Random
) -> Placed:
    """Return the drafts, shuffled, dealt out to those of the files that take them."""
    files: dict[str, list[Draft]] = {name: [] for name in sorted(names)}
    for draft in dice.sample(drafts, len(drafts)):
        files[dice.choice([name for name in files if takes(name, draft)])].append(draft)
    return list(files.items())


def settle(placed: Placed) -> None:
    """Say which of exact copies stays: the first by file and row."""
    seen: set[str | None] = set()
    for _, rows in placed:
        for draft in (row for row in rows if row.relation == "exact"):
            draft.status = "dropped" if draft.group in seen else "kept"
            draft.reasons = ["exact_duplicate"] if draft.group in seen else []
            seen.add(draft.group)


def write_truth(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Write JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(_json(line) + b"\n" for line in lines))


def pairs(placed: Placed) -> list[dict[str, Any]]:
    """Return the pairs that resemble each other on purpose, with their exact Jaccard and whether one of them goes."""
    kin: dict[str, list[tuple[list[Any], Draft]]] = {}
    for name, rows in placed:
        for number, draft in enumerate(rows):
            if key := draft.group or draft.family:
                kin.setdefault(key, []).append(([name, number], draft))
    return [
        {
            "name": key,
            "one": one,
            "other": other,
            "jaccard": round(row_jaccard(first.plain, second.plain), 6),
            "duplicate": first.group is not None,
        }
        for key, members in sorted(kin.items())
        for (one, first), (other, second) in combinations(members, 2)
    ]
