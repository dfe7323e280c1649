"""Lines out of chunks, cut at newline bytes only, with bounded memory however long a line is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from utils.data.streams import BrokenStreamError

BLANK = b" \t\r"
KEPT = 1 << 16  # bytes shown of a row that is too long
BOM = b"\xef\xbb\xbf"
_NEWLINE = 0x0A
_MAY_BE_BLANK = np.isin(np.arange(256), list(BLANK + b"\n"))


class Lines(NamedTuple):
    """Lines that follow each other, blank ones too.

    Args:
        offsets: where each begins.
        lines: its bytes without newline; of one that is over the limit only the beginning.
        over: by position, the full size of those over the limit that are not blank.

    """

    offsets: list[int]
    lines: list[bytes]
    over: dict[int, int]


class _Held:
    """The beginning of a line whose end has not come yet."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.pieces: list[bytes] = []
        self.size = 0
        self.blank = True

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        self.blank = self.blank and not piece.strip(BLANK)
        self.pieces.append(piece)
        if self.size > self.limit:
            self.pieces = [b"".join(self.pieces)[: min(KEPT, self.limit)]]

    def take(self) -> tuple[bytes, int]:
        line, size = b"".join(self.pieces), self.size
        over = size if size > self.limit and not self.blank else 0
        line = b"" if size > self.limit and self.blank else line
        self.pieces, self.size, self.blank = [], 0, True
        return line, over


def cut_lines(chunks: Iterable[bytes], limit: int, offset: int = 0) -> Iterator[Lines]:
    """Give every line, those that end in one chunk together; of a line over `limit` bytes only the beginning.

    Raises:
        BrokenStreamError: the stream's, after the lines before the break; `args[1]` is what is left of a cut line,
            `args[2]` its offset.

    """
    held = _Held(limit)
    try:
        for chunk in chunks:
            head, *pieces = chunk.split(b"\n")
            held.add(head)
            if not pieces:
                continue
            last = pieces.pop()
            found, offset = _together(held, pieces, limit, offset)
            yield found
            held.add(last)
    except BrokenStreamError as error:
        if error.whole and held.size:
            found, offset = _together(held, [], limit, offset)
            yield found
            offset -= 1  # it had no newline
        error.args = (error.args[0], held.take()[0], offset)
        raise
    if held.size:
        yield _together(held, [], limit, offset)[0]


def _together(held: _Held, pieces: list[bytes], limit: int, offset: int) -> tuple[Lines, int]:
    """Return the line that was held and those after it, and where the next one begins."""
    sizes = [held.size, *map(len, pieces)]
    first, over = held.take()
    lines, overs = [first, *pieces], {0: over} if over else {}
    if max(sizes) > limit:
        for i in (i for i in range(1, len(lines)) if sizes[i] > limit):
            overs |= {i: sizes[i]} if lines[i].strip(BLANK) else {}
            lines[i] = lines[i][: min(KEPT, limit)]
    *offsets, after = accumulate([size + 1 for size in sizes], initial=offset)
    return Lines(offsets, lines, overs), after


def count_rows(chunks: Iterable[bytes], first: bool = True) -> int:
    """Count the lines that are not blank; `first`: a byte order mark may lead."""
    rows, open_line = 0, False
    for chunk in chunks:
        start = len(BOM) if first and chunk.startswith(BOM) else 0
        first = False
        end, last = chunk.find(b"\n", start), chunk.rfind(b"\n")
        open_line = open_line or bool(chunk[start : end if end >= 0 else None].strip(BLANK))
        if end >= 0:
            rows += open_line + (_solid_lines(chunk, end + 1, last) if last > end else 0)
            open_line = bool(chunk[last + 1 :].strip(BLANK))
    return rows + open_line


def _solid_lines(text: bytes, start: int, end: int) -> int:
    """Count the lines in [start, end) that are not blank; where all begin with another byte, newlines are enough."""
    array = np.frombuffer(text, np.uint8)
    begins = np.flatnonzero(array[start:end] == _NEWLINE) + (start + 1)
    if not (_MAY_BE_BLANK[array[begins]].any() or _MAY_BE_BLANK[array[start]]):
        return len(begins) + 1
    return sum(1 for line in text[start:end].split(b"\n") if line.strip(BLANK))
