"""Lists of phrases: own ones by name, any other by path; a line is `phrase=>category` or a phrase.

A line without a category has the list's name as its category. Lines that begin with `#` are comments.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import posttrain_root
from utils.errors import nearest

LISTS = posttrain_root.ROOT / "configs" / "cleaning" / "blacklists"

# How dictionaries in use spell it.
_SAME_CATEGORY = {"gumble": "gambling"}


class Entry(NamedTuple):
    """A phrase as its list has it, and what it is a sign of."""

    phrase: str
    category: str


def list_path(name: str) -> Path:
    """Return the file of an own list's name, or of a path.

    Raises:
        ValueError: neither is there.

    """
    own = LISTS / f"{name}.txt"
    path = own if own.is_file() else Path(name)
    if not path.is_file():
        known = sorted(file.stem for file in LISTS.glob("*.txt"))
        near = nearest(name, known)
        those = f"{', '.join(known)} ({near})" if near else ", ".join(known)
        raise ValueError(f"no list {name!r}: give the path of a file, or one of {those}")
    return path.resolve()


def lasting_name(name: str) -> str:
    """Return a name of an own list as it is, a path as an absolute one, so that a worker elsewhere finds it.

    Raises:
        ValueError: neither is there.

    """
    path = list_path(name)
    return name if path.parent == LISTS and path.stem == name else str(path)


def category_named(name: str) -> str:
    """Return the one spelling of a category."""
    return _SAME_CATEGORY.get(name.strip(), name.strip())


@lru_cache(maxsize=64)
def _entries(path: Path, digest: str) -> tuple[Entry, ...]:
    """Return the entries of a file with these contents."""
    entries: dict[Entry, None] = {}
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        phrase, _, category = line.partition("=>")
        if phrase.strip() and not line.startswith("#"):
            entries[Entry(phrase.strip(), category_named(category or path.stem))] = None
    return tuple(entries)


def read_lists(names: Sequence[str]) -> tuple[Entry, ...]:
    """Return the entries of some lists, each once.

    Raises:
        ValueError: a list is missing, or not UTF-8.

    """
    found: dict[Entry, None] = {}
    for name in names:
        path = list_path(name)
        try:
            found |= dict.fromkeys(_entries(path, digest_of([name])))
        except UnicodeDecodeError as error:
            raise ValueError(f"{name} is not UTF-8: {error}") from None
    return tuple(found)


def digest_of(names: Sequence[str]) -> str:
    """Return a short hash of the contents of some lists, in order.

    Raises:
        ValueError: a list is missing.

    """
    digest = hashlib.sha256()
    for name in names:
        digest.update(hashlib.sha256(list_path(name).read_bytes()).digest())
    return digest.hexdigest()[:16]
