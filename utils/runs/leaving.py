"""Which data a run would send to other hosts, as its config says it (S10)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel


def leaving(config: BaseModel) -> dict[str, str] | None:
    """Return what goes where, by the place in the config; None when nothing in it could send anything.

    A section that may send data has `leaves_host`: in words what goes to which host, None when it stays on this one.
    """
    found = dict(_senders(config, ""))
    return {place: leaves for place, leaves in found.items() if leaves} if found else None


def _senders(value: Any, place: str) -> Iterator[tuple[str, str | None]]:
    parts: list[tuple[Any, Any]] = []
    if isinstance(value, BaseModel) and hasattr(value, "leaves_host"):
        yield place, value.leaves_host
    elif isinstance(value, BaseModel):
        parts = [(name, getattr(value, name)) for name in type(value).model_fields]
    elif isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list | tuple):
        parts = [(getattr(inner, "key", number), inner) for number, inner in enumerate(value)]
    for name, inner in parts:
        yield from _senders(inner, f"{place}.{name}" if place else str(name))
