"""Lines out of chunks, cut at newline bytes only, with bounded memory however long a line is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from utils.data.streams import BrokenStreamError

BLANK = b" \t\r"
KEPT = 1 << 16  # bytes shown of a row that is too long
BOM = b"\xef\xbb\xbf"

Line = tuple[int, bytes, int]  # offset, bytes without newline, and the full size when it is over the limit, else 0


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


def cut_lines(chunks: Iterable[bytes], limit: int, offset: int = 0) -> Iterator[Line]:
    """Give every line, blank ones too; of one over `limit` bytes only the beginning.

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
            size = held.size
            line, over = held.take()
            yield offset, line, over
            offset += size + 1
            for line in pieces[:-1]:
                yield offset, line if len(line) <= limit else line[: min(KEPT, limit)], _over(line, limit)
                offset += len(line) + 1
            held.add(pieces[-1])
    except BrokenStreamError as error:
        if error.whole and (size := held.size):
            yield offset, *held.take()
            offset += size
        error.args = (error.args[0], held.take()[0], offset)
        raise
    if held.size:
        yield offset, *held.take()


def count_rows(chunks: Iterable[bytes], first: bool = True) -> int:
    """Count the lines that are not blank; `first`: a byte order mark may lead."""
    rows, open_line = 0, False
    for chunk in chunks:
        text = chunk.removeprefix(BOM) if first else chunk
        first = False
        head, *pieces = text.split(b"\n")
        open_line = open_line or bool(head.strip(BLANK))
        if pieces:
            rows += open_line + sum(1 for line in pieces[:-1] if line.strip(BLANK))
            open_line = bool(pieces[-1].strip(BLANK))
    return rows + open_line


def _over(line: bytes, limit: int) -> int:
    return len(line) if len(line) > limit and line.strip(BLANK) else 0
