"""Rows that hold a text of a reference set, such as an evaluation's prompts (decontamination).

Every user's and system prompt of a row, and every document, is compared with every reference, exactly: no MinHash. An
inverted index over the references' shingles gives how many a text shares with each. Compared are characters (5-grams)
after NFC, with one blank for each run of blanks, in lower case. A text holds a reference when

- the two are equal (similarity 1), or
- the Jaccard similarity of their shingles reaches `threshold` (the similarity told), or
- `containment` of the reference's shingles lie in one place of the text, not much longer than the reference (the
  share is the similarity told): a long document shares single shingles with everything.

A reference of less than 20 CJK characters or 8 words (or as much of both) counts by equality alone: else "Write a
poem" would drop every poem's row.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from cleaning.duplicates.config import Reference
from cleaning.duplicates.exact import normalised
from utils.data.inputs import find_files, has_rows_at
from utils.data.streaming import iter_records
from utils.errors import UserError
from utils.runs.directory import Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cleaning.duplicates.overlaps import Index

REASON = "reference_duplicate"
REFERENCES = "run/work/references.parquet"
SHOWN = 300

REFERENCE = {"id": pl.String, "file": pl.String, "row": pl.Int64, "text": pl.String}
MATCHES = pa.schema(
    [
        ("id", pa.string()),
        ("source_row", pa.int64()),
        ("place", pa.int32()),
        ("similarity", pa.float32()),
        ("reference_id", pa.string()),
        ("reference_file", pa.string()),
        ("reference_row", pa.int64()),
        ("reference_text", pa.string()),
        ("excerpt", pa.string()),
    ]
)

# At least this much of one or the other, or a share of both, lets a reference match by anything but equality.
_CJK_CHARACTERS = 20
_WORDS = 8
_CJK = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]"
_WORD = r"[\p{L}\p{N}]+"

_SPOKEN = ("user", "system", "document")
