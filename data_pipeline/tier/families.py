"""Prompt families and seeded choices: by content, never by position."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence

import polars as pl


def prompt_families(rows: pl.DataFrame) -> pl.Series:
    """Return the family of every row: rows that ask the same share one, whatever the answer.

    The prompt is what stands before the first answer, `system` left out (the whole text when nothing does, as in a
    document). Width, case, punctuation and blanks do not count.

    Args:
        rows: with the column `messages`.

    Returns:
        32 hex digits per row: BLAKE2b-128 of the normalised prompt.

    """
    asked = pl.DataFrame(
        {"text": [_asked(messages) for messages in rows["messages"].to_list()]}, schema={"text": pl.String}
    )
    texts = asked.select(pl.col("text").pipe(folded))["text"].to_list()
    return pl.Series("family", [_blake2b(text, 16).hex() for text in texts], dtype=pl.String)


def _asked(messages: Sequence[Mapping[str, str]]) -> str:
    """Return the text before the first answer, without `system`; the whole text when there is none."""
    before = itertools.takewhile(lambda message: message["role"] != "assistant", messages)
    asked = [message["content"] for message in before if message["role"] != "system"]
    return "\n".join(asked or [message["content"] for message in messages])


def folded(text: pl.Expr) -> pl.Expr:
    """Return the expression that folds width, case, punctuation and blanks; a text of nothing else stays as it is."""
    plain = text.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"[\p{P}\s]+", " ").str.strip_chars()
    return pl.when(plain.str.len_bytes() > 0).then(plain).otherwise(text)


def lots(keys: pl.Series, seed: int, purpose: str) -> pl.Series:
    """Return a number in [0, 1) per key, even and fixed: the same key draws the same lot for one seed and purpose."""
    drawn = [int.from_bytes(_blake2b(f"{seed}:{purpose}:{key}", 8), "big") >> 11 for key in keys]
    return pl.Series("lot", [number / (1 << 53) for number in drawn], dtype=pl.Float64)


def _blake2b(text: str, size: int) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=size).digest()
