"""Model work in fixed batches: named by content, each with its own seed, each committed whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from data_pipeline.prompts import Prompt
from utils.runs.commit import read_json
from utils.runs.manifest import digest, fingerprint

if TYPE_CHECKING:
    from utils.runs.directory import Run

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Batch:
    """Prompts that one model answers in one go, and the name and seed that follow from the content."""

    name: str
    seed: int
    prompts: list[Prompt]

    @property
    def part(self) -> str:
        """The batch's file."""
        return f"run/work/{self.name}.parquet"


def cut(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Yield the items in order, `size` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def batch_name(what: str, *content: Any) -> str:
    """Return a unit's name: `<what>-<hash of all that decides its result>`."""
    return f"{what}-{digest(list(content))}"


def batch_seed(seed: int, name: str) -> int:
    """Return the seed of one batch, 0 … 2^56 − 1: a hash of the run's seed and the batch's name."""
    return int.from_bytes(hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=7).digest(), "big")


def revision_of(run: Run, path: Path) -> str:
    """Return 16 hex digits of an input's fingerprint, as the run's key has it (hashing weights twice takes minutes)."""
    known = (read_json(run.inner / "key.json") or {"inputs": []})["inputs"]
    found = next((entry for entry in known if entry["path"] == str(path)), None)
    return str((found or fingerprint(path))["sha256"])[:16]
