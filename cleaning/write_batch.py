"""Rows written by what was decided of them: kept to good, dropped to bad, unreadable to quarantine.

A row is parsed again only where a rule changed it or its bytes may not be written as they are.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import orjson
import polars as pl

from cleaning.rows_out import Mark, RowWriter
from cleaning.turns import without_empty_turns
from utils.data.formats import Format, Row, replace
from utils.data.parsing import Utf8Policy, parse_row
from utils.data.raw_rows import RawRows
from utils.errors import StageFailedError


@dataclass(slots=True)
class Outputs:
    """Where the rows of a partition go.

    Args:
        relative: the input file, as quarantine and sample name it.
        fmt: its format; None when no row of it could be read.
        invalid_utf8: as the rows were read.
        good: kept rows, as cleaned.
        bad: dropped rows, as they were.
        quarantine: a line for each row that could not be read.

    """

    relative: str
    fmt: Format | None
    invalid_utf8: Utf8Policy
    good: RowWriter
    bad: RowWriter
    quarantine: BinaryIO

    def write(self, rows: RawRows, decided: pl.DataFrame) -> None:
        """Write some rows.

        Args:
            rows: read with `parse=False`.
            decided: `source_row, id, error, reasons, texts, plain` of the same rows: `error` is null where they could
                be read, `reasons` empty where they are kept, `texts` null where no rule changed them, `plain` as
                `rows_out.plain_rows` says.

        Raises:
            StageFailedError: these are other rows than the ones that were decided on.

        """
        _check(rows, decided)
        numbered = decided.with_row_index("i").lazy()
        error, dropped = pl.col("error"), pl.col("reasons").list.len() > 0
        read = numbered.filter(error.is_null())
        errors = dict(numbered.filter(error.is_not_null()).select("i", "error").collect().iter_rows())
        reasons = dict(read.filter(dropped).select("i", "reasons").collect().iter_rows())
        again = read.filter(~dropped & pl.col("texts").is_not_null() | ~pl.col("plain")).select("i", "texts")
        changed = {
            i: self._changed(rows, i, None if i in reasons else texts) for i, texts in again.collect().iter_rows()
        }
        for i in errors:
            self.quarantine.write(_quarantined(rows, i, errors[i], self.relative) + b"\n")
        whys: list[Sequence[str]] = [()] * len(rows)
        for i, why in reasons.items():
            whys[i] = why
        marks = list(map(Mark, decided["id"].to_list(), whys))
        self.good.write(rows, [i for i in range(len(rows)) if i not in reasons and i not in errors], changed, marks)
        self.bad.write(rows, list(reasons), changed, marks)

    def _changed(self, rows: RawRows, i: int, texts: list[str] | None) -> Row:
        """Return what a row says, with the cleaned texts in place if there are any."""
        row = rows.rows[i]
        if row is None:
            row = parse_row(rows.raws[i], self.invalid_utf8).row
        if row is None or self.fmt is None:
            raise StageFailedError(f"row {rows.first + i} of {self.relative} can no longer be read")
        if texts is None:
            return row
        paths = [path for path, _, _ in self.fmt.texts(row)]
        return without_empty_turns(replace(row, dict(zip(paths, texts, strict=True))), self.fmt)


def _check(rows: RawRows, decided: pl.DataFrame) -> None:
    first, last = rows.first, rows.first + len(rows) - 1
    if len(rows) != len(decided) or (
        len(rows) and (decided["source_row"][0], decided["source_row"][-1]) != (first, last)
    ):
        raise StageFailedError(f"rows {first} to {last} are not the rows that were decided on")


def _quarantined(rows: RawRows, i: int, error: str, relative: str) -> bytes:
    place = {"source_file": relative, "source_row": rows.first + i, "byte_offset": rows.offsets[i]}
    return orjson.dumps({**place, "error": error, "raw_base64": base64.b64encode(rows.raws[i]).decode()})
