"""Rows as they lie in a file: one of them, and many as columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

_NONE: tuple[str, ...] = ()


class RawRow(NamedTuple):
    """One row as it lies in the file.

    `row` or `error` is None, never both. `raw` has no line end and no byte order mark; of a row that is too long it
    is the first 64 KiB. `byte_offset` counts in the uncompressed bytes of the file (of a zip: of its members in
    order), and is the row's number in a Parquet file. When `repairs` is not empty, `row` is not what `raw` says.
    """

    source_row: int
    byte_offset: int
    raw: bytes
    row: dict[str, Any] | None
    error: str | None
    repairs: tuple[str, ...] = ()


@dataclass(slots=True)
class RawRows:
    """Rows that follow each other in a file, as columns; a single `RawRow` is made when it is asked for.

    Args:
        first: `source_row` of the first; the others count on from it.
        offsets: the `byte_offset` of each.
        raws: the bytes of each.
        rows: what each says; None where it has an error or was not parsed.
        errors: by position, why a row cannot be read.
        repairs: by position, what was mended.

    """

    first: int
    offsets: list[int]
    raws: list[bytes]
    rows: list[dict[str, Any] | None]
    errors: dict[int, str]
    repairs: dict[int, tuple[str, ...]]

    @classmethod
    def of(cls, rows: Iterable[RawRow]) -> RawRows:
        """Return single rows as columns."""
        made = cls(0, [], [], [], {}, {})
        for i, (source_row, offset, raw, row, error, repairs) in enumerate(rows):
            made.first = made.first if i else source_row
            made.offsets.append(offset)
            made.raws.append(raw)
            made.rows.append(row)
            if error is not None:
                made.errors[i] = error
            if repairs:
                made.repairs[i] = repairs
        return made

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.raws)

    def __getitem__(self, i: int) -> RawRow:
        """Return one row; `i` counts from 0."""
        return RawRow(
            self.first + i,
            self.offsets[i],
            self.raws[i],
            self.rows[i],
            self.errors.get(i),
            self.repairs.get(i, _NONE),
        )

    def __iter__(self) -> Iterator[RawRow]:
        """Give the rows one by one."""
        return map(self.__getitem__, range(len(self.raws)))

    def extend(self, more: RawRows) -> None:
        """Add the rows that follow."""
        size = len(self)
        self.offsets += more.offsets
        self.raws += more.raws
        self.rows += more.rows
        self.errors.update((size + i, error) for i, error in more.errors.items())
        self.repairs.update((size + i, repairs) for i, repairs in more.repairs.items())

    def split(self, size: int) -> tuple[RawRows, RawRows]:
        """Return the first `size` rows, and the others."""
        return self._part(0, size), self._part(size, len(self))

    def _part(self, start: int, end: int) -> RawRows:
        cut = slice(start, end)
        errors, repairs = (
            {i - start: found[i] for i in found if start <= i < end} for found in (self.errors, self.repairs)
        )
        return RawRows(
            self.first + start,
            self.offsets[cut],
            self.raws[cut],
            self.rows[cut],
            errors,
            repairs,  # type: ignore[arg-type]
        )
