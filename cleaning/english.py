# ruff: noqa: ANN001 - the types of a compiled function stand in its signature
"""How many of a text's words are those that stand in every few lines of English and in no other Latin language."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit, void
from numba.types import Array, boolean, int32, int64, uint8, uint32  # type: ignore[attr-defined]

WORDS = ("the", "and", "that", "with", "this", "for", "are", "you", "was", "to", "of")
_MIX, _SHIFT = 0x9E3779B1, 20


def _slot(key: int) -> int:
    return (key * _MIX & 0xFFFFFFFF) >> _SHIFT


def _table() -> np.ndarray:
    """Return uint32 (4096,): by the hash of a word's bytes these bytes, 0 for none."""
    table = np.zeros(1 << (32 - _SHIFT), np.uint32)
    keys = [int.from_bytes(word.encode(), "big") for word in WORDS]
    if len({_slot(key) for key in keys}) < len(keys):
        raise AssertionError("two words in one slot")
    table[[_slot(key) for key in keys]] = keys
    return table


_TABLE = _table()
_SPELLS = np.zeros(256, np.bool_)
_SPELLS[[*range(48, 58), *range(65, 91), *range(97, 123), *range(128, 256)]] = True


@njit(
    void(
        Array(uint8, 1, "C", readonly=True), Array(int64, 1, "C", readonly=True), Array(boolean, 1, "C"),
        Array(uint32, 1, "C"), Array(int32, 2, "C"),
    ),
    cache=True, nogil=True, boundscheck=False,
)  # fmt: skip
def _count(data, ends, spells, table, found):  # type: ignore[no-untyped-def]  # noqa: ANN202
    for text in range(ends.size - 1):
        key, length = np.int64(0), 0
        for at in range(ends[text], ends[text + 1] + 1):
            code = np.int64(data[at]) if at < ends[text + 1] else np.int64(32)
            if spells[code]:
                key, length = key << 8 | code | 32, length + 1
            elif length:
                found[text, 0] += 1
                if length <= 4 and table[(key * _MIX & 0xFFFFFFFF) >> _SHIFT] == key:
                    found[text, 1] += 1
                key, length = np.int64(0), 0


def common_words(texts: Sequence[str]) -> np.ndarray:
    """Return int32 (n, 2): the words of each text, and how many of them are of `WORDS`, in any case."""
    import pyarrow as pa

    found = np.zeros((len(texts), 2), np.int32)
    _, offsets, data = pa.array(texts, pa.large_string()).buffers()
    if data is not None and data.size:
        ends = np.frombuffer(offsets, np.int64)[: len(texts) + 1]
        _count(np.frombuffer(data, np.uint8), ends, _SPELLS, _TABLE, found)
    return found
