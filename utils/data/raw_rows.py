"""Rows as they lie in a file: one of them, and many as columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

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
class RawRows(Sequence[RawRow]):
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
        """Return rows that follow each other as columns."""
        listed = list(rows)
        return cls(
            listed[0].source_row if listed else 0,
            [raw.byte_offset for raw in listed],
            [raw.raw for raw in listed],
            [raw.row for raw in listed],
            {i: raw.error for i, raw in enumerate(listed) if raw.error is not None},
            {i: raw.repairs for i, raw in enumerate(listed) if raw.repairs},
        )

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.raws)

    @overload
    def __getitem__(self, at: int) -> RawRow: ...

    @overload
    def __getitem__(self, at: slice) -> RawRows: ...

    def __getitem__(self, at: int | slice) -> RawRow | RawRows:
        """Return one row, or rows that follow each other."""
        if isinstance(at, slice):
            return self._part(*at.indices(len(self)))
        i = range(len(self))[at]
        found = self.offsets[i], self.raws[i], self.rows[i], self.errors.get(i), self.repairs.get(i, _NONE)
        return RawRow(self.first + i, *found)

    def extend(self, more: RawRows) -> None:
        """Add the rows that follow."""
        size = len(self)
        self.offsets += more.offsets
        self.raws += more.raws
        self.rows += more.rows
        self.errors.update((size + i, error) for i, error in more.errors.items())
        self.repairs.update((size + i, repairs) for i, repairs in more.repairs.items())

    def _part(self, start: int, end: int, step: int) -> RawRows:
        if step != 1:
            raise ValueError("rows that follow each other only")
        cut = slice(start, end)
        errors = {i - start: error for i, error in self.errors.items() if start <= i < end}
        repairs = {i - start: mended for i, mended in self.repairs.items() if start <= i < end}
        return RawRows(self.first + start, self.offsets[cut], self.raws[cut], self.rows[cut], errors, repairs)
