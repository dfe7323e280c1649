"""What was paid, on disk before anybody sees it: each request is paid once, over crashes and between processes (F18).

A JSON line per paid answer, in a file that only grows. A line that a kill or a full disk cut stays alone and counts as
nothing.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from utils.models.chat.locked import locked
from utils.runs.commit import disk_full_is_retryable

_BLOCK = 16 << 20  # bytes read at a time: the file may be larger than memory
Price = Callable[[Mapping[str, Any]], float]


class PaidLog:
    """Paid lines by the hash of what was asked; the first of a hash counts.

    Args:
        file: made when missing.
        price: what a line cost that does not say so, of a time without prices.

    `spent` is the cost of all that was read so far, `damaged` counts lines that were cut.
    """

    def __init__(self, file: Path, *, price: Price | None = None) -> None:
        self._path = file
        self._price = price
        self._places: dict[str, tuple[int, int]] = {}
        self._read_to = 0
        self.spent = 0.0
        self.damaged = 0
        self.refresh()

    def __len__(self) -> int:
        """Return the number of hashes."""
        return len(self._places)

    def line(self, key: str) -> dict[str, Any] | None:
        """Return the line of a hash; None when there is none."""
        if key not in self._places:
            return None
        start, length = self._places[key]
        with self._path.open("rb") as stream:
            found: dict[str, Any] = orjson.loads(os.pread(stream.fileno(), length, start))
        return found

    def write(self, lines: Mapping[str, Mapping[str, Any]]) -> None:
        """Write lines by their hashes, to the disk.

        Raises:
            RetryLaterError: the disk is full.

        """
        now = round(time.time(), 3)
        text = b"".join(orjson.dumps({"request": key, **line, "time": now}) + b"\n" for key, line in lines.items())
        with disk_full_is_retryable(self._path), locked(self._path) as descriptor:
            end = os.fstat(descriptor).st_size
            if end and os.pread(descriptor, 1, end - 1) != b"\n":  # a kill cut the last line: it stays alone
                text = b"\n" + text
            try:
                _write_at(descriptor, text, end)
            except OSError:
                os.ftruncate(descriptor, end)
                raise
            self._take_in(descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.fsync(descriptor)  # unlocked: those of many threads become one

    def refresh(self) -> None:
        """Take in what other processes have written."""
        with locked(self._path) as descriptor:
            self._take_in(descriptor)

    def _take_in(self, descriptor: int) -> None:
        """Read the new whole lines. The lock orders the threads of this process, too."""
        size, block = os.fstat(descriptor).st_size, _BLOCK
        while self._read_to < size:
            new = os.pread(descriptor, block, self._read_to)
            whole = new[: new.rfind(b"\n") + 1]
            if not whole and len(new) < block:  # the last line is not ended
                return
            block = _BLOCK if whole else 2 * block
            for line in whole.splitlines(keepends=True):
                try:
                    self._count(orjson.loads(line), len(line))
                except (orjson.JSONDecodeError, KeyError, TypeError):
                    self.damaged += line != b"\n"
                self._read_to += len(line)

    def _count(self, entry: dict[str, Any], length: int) -> None:
        key, cost = entry["request"], entry.get("cost")
        if cost is None and self._price is not None:
            cost = self._price(entry)
        self.spent += cost or 0.0
        self._places.setdefault(key, (self._read_to, length))


def _write_at(descriptor: int, text: bytes, place: int) -> None:
    """Write all of it, wherever the system cuts a write."""
    while text:
        written = os.pwrite(descriptor, text, place)
        text, place = text[written:], place + written
