"""The texts of a batch of rows as columns, and what each row is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from utils.data.formats import Format, RowError, Text
from utils.data.raw_rows import RawRow, RawRows
from utils.data.records import raw_id
from utils.data.rows import id_and_texts


@dataclass(slots=True)
class ReadTexts:
    """Rows, and their texts in order.

    Args:
        rows: as read.
        ids: one per row; an unreadable row has the hash of its bytes.
        errors: why a row cannot be read, or None.
        row: uint32 (texts,), ascending: the row of each text.
        place: uint32 (texts,): which of the row's texts it is, from 0.
        role: of each text.
        text: as read.

    """

    rows: Sequence[RawRow]
    ids: list[str]
    errors: list[str | None]
    row: np.ndarray
    place: np.ndarray
    role: Sequence[str]
    text: list[str]


def read_texts(rows: Sequence[RawRow], fmt: Format | None) -> ReadTexts:
    """Return the texts of rows as columns; a row that does not fit the format keeps the reason instead."""
    ids: list[str] = []
    errors: list[str | None] = [None] * len(rows)
    texts: list[Text] = []
    sizes: list[int] = []
    for number, row in enumerate(rows.rows if isinstance(rows, RawRows) else [raw.row for raw in rows]):
        found: list[Text] = []
        if row is None or fmt is None:
            errors[number] = rows[number].error or "no row of the file is of a known format"
        else:
            try:
                given, found = id_and_texts(row, fmt)
            except RowError as error:
                errors[number] = f"not of format {fmt.name}: {error}"
        ids.append(given if errors[number] is None else raw_id(rows[number].raw))
        texts += found
        sizes.append(len(found))
    _, role, text = zip(*texts, strict=True) if texts else ((), (), ())
    counts = np.array(sizes, np.uint32)
    begins = np.repeat(np.cumsum(counts, dtype=np.uint32) - counts, counts)
    numbers = np.repeat(np.arange(len(rows), dtype=np.uint32), counts)
    place = np.arange(len(texts), dtype=np.uint32) - begins
    return ReadTexts(rows, ids, errors, numbers, place, role, list(text))
