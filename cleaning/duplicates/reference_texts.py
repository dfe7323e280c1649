"""What is compared of reference texts and of rows: as they lie in their files, and as a policy leaves them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

# At least this much of one or the other, or a share of both, lets a reference match by anything but equality.
_CJK_CHARACTERS = 20
_WORDS = 8
_CJK = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]"
_WORD = r"[\p{L}\p{N}]+"

# With either count, of which a share of both is enough, a reference is long.
_LONG = (
    pl.col("folded").str.count_matches(_CJK) / _CJK_CHARACTERS
    + pl.col("folded").str.replace_all(_CJK, " ").str.count_matches(_WORD) / _WORDS
) >= 1

_SPOKEN = ("user", "system", "document")


def comparable(texts: pl.Series) -> pl.Series:
    """Return texts as they are compared with references."""
    from cleaning.duplicates.fold import folded

    return folded(texts).str.to_lowercase().alias("folded")


def forms(texts: pl.Series, policy: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Return `reference, folded, long` of the references as they are, then as cleaned where that changes them.

    A long reference of which cleaning leaves less than counts as long (an address, a table of markup) has no cleaned
    form: the few words that are left would match by themselves.
    """
    given = pl.DataFrame({"reference": np.arange(len(texts), dtype=np.uint32), "folded": comparable(texts)})
    given = given.with_columns(long=_LONG)
    left = comparable(pl.Series(_cleaned(texts.to_list(), policy), dtype=pl.String))
    cleaned = given.select("reference", "long", before="folded", folded=left).with_columns(
        enough=_LONG | ~pl.col("long")
    )
    changed = (pl.col("folded") != pl.col("before")) & (pl.col("folded") != "") & pl.col("enough")
    return pl.concat([given, cleaned.filter(changed).select("reference", "folded", "long")])


def _cleaned(texts: list[str], policy: Sequence[dict[str, Any]]) -> list[str]:
    """Return the texts, each as a question by itself, after the editing rules of a policy."""
    from cleaning.batch import apply_policy, read_texts
    from cleaning.policy import rule_from
    from cleaning.rules.base import EditRule
    from utils.data.formats import format_named
    from utils.data.raw_rows import RawRow

    rules = [rule for rule in map(rule_from, policy) if isinstance(rule, EditRule)]
    rows = [{"messages": [{"role": "user", "content": text}]} for text in texts]
    raws = [RawRow(number, 0, b"", row, None) for number, row in enumerate(rows)]
    return apply_policy(read_texts(raws, format_named("chat")), rules).texts["text"].to_list() if rules else texts


def asked(texts: pl.DataFrame, edits: pl.DataFrame) -> pl.DataFrame:
    """Return `row, place, text, folded` of what is compared of a batch: cleaned, and as read where that is different.

    Args:
        texts: as cleaned: `row, place, role, text`.
        edits: in the order of the rules: `row, place, before`.

    """
    both = [frame.filter(pl.col("role").is_in(_SPOKEN)) for frame in (texts, _as_read(texts, edits))]
    found = pl.concat([_turns(frame) for frame in both])
    return found.with_columns(comparable(found["text"]))


def _as_read(texts: pl.DataFrame, edits: pl.DataFrame) -> pl.DataFrame:
    """Return the texts, as they were read, of the rows of which a rule changed any."""
    read = edits.unique(["row", "place"], keep="first", maintain_order=True).select("row", "place", "before")
    changed = texts.join(read.select("row").unique(), on="row", how="semi", maintain_order="left")
    joined = changed.join(read, on=["row", "place"], how="left", maintain_order="left")
    return joined.select("row", "place", "role", text=pl.coalesce("before", "text"))


def _turns(texts: pl.DataFrame) -> pl.DataFrame:
    """Return `row, place, text` of every text, and of the parts of a turn joined where it has several."""
    begins = (pl.col("row") != pl.col("row").shift(1)) | (pl.col("role") != pl.col("role").shift(1))
    numbered = texts.with_columns(turn=begins.fill_null(True).cum_sum())
    said = numbered.filter(pl.col("text") != "")
    parts = said.filter(pl.col("turn").is_duplicated()).group_by("turn", maintain_order=True)
    joined = parts.agg(pl.col("row", "place").first(), pl.col("text").str.join("\n"))
    return pl.concat([frame.select("row", "place", "text") for frame in (said, joined)])
