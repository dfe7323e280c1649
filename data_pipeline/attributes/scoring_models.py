"""Models that score rows: one held per worker, where it computes, and batches that bound its memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

Model = TypeVar("Model")

_HELD: dict[tuple[str, str], Any] = {}


def held(opening: Callable[[Path], Model], path: Path) -> Model:
    """Return the model at a path, loaded for a worker's first task and kept for its next ones.

    Two never stand in memory together.

    Args:
        opening: a function of a module, which loads the model.
        path: a model directory.

    """
    name = (f"{opening.__module__}.{opening.__qualname__}", str(path.resolve()))
    if name not in _HELD:
        _HELD.clear()
        _HELD[name] = opening(path)
    model: Model = _HELD[name]
    return model


def device() -> str:
    """Return `cuda` where this process sees a GPU, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def token_batches(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Yield the numbers of sequences, longest first, whose padded size stays within `batch_tokens` (or one alone)."""
    batch: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda one: (-lengths[one], one)):
        if batch and lengths[batch[0]] * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch
