"""Prompt families and seeded choices: by content, never by position."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence

import polars as pl

_SIZE = 3  # characters in a shingle: one that is changed in a short prompt spoils three shingles, not five


def prompt_families(rows: pl.DataFrame) -> pl.Series:
    """Return the family of every row: rows that ask the same share one, whatever the answer.

    The prompt is what stands before the first answer, `system` left out (the whole text when nothing does, as in a
    document). Width, case, punctuation and blanks do not count.

    Args:
        rows: with the column `messages`.

    Returns:
        32 hex digits per row: BLAKE2b-128 of the normalised prompt.

    """
    return hashed(folded_texts(asked_in(rows)))


def near_families(texts: pl.DataFrame, similarity: float) -> pl.DataFrame:
    """Join families whose prompts are near-copies of each other, also by way of a third.

    Near are prompts whose 3-grams of characters have at least this Jaccard similarity (MinHash, then verified) and
    whose numbers are the same: a template with another number is another question.

    Args:
        texts: `family, text`: every family once with its normalised prompt.
        similarity: the least Jaccard similarity.

    Returns:
        `family, joined`: the smallest family of those that belong together, in the order of `family`.

    """
    from cleaning.duplicates.config import Near
    from cleaning.duplicates.in_memory import near_duplicates

    ordered = texts.sort("family")  # so that nothing depends on the order of the rows
    settings = Near(threshold=similarity, size=_SIZE, unit="character")
    found = near_duplicates(ordered["text"].to_arrow(), settings)
    grouped = ordered.select("family", label=pl.Series(found.labels), numbers=numbers_in(ordered["text"]))
    return grouped.select("family", joined=pl.col("family").first().over("label", "numbers"))


def asked_in(rows: pl.DataFrame) -> pl.Series:
    """Return the prompt of every row as it stands."""
    return pl.Series("text", [_asked(messages) for messages in rows["messages"].to_list()], dtype=pl.String)


def _asked(messages: Sequence[Mapping[str, str]]) -> str:
    """Return the text before the first answer, without `system`; the whole text when there is none."""
    before = itertools.takewhile(lambda message: message["role"] != "assistant", messages)
    asked = [message["content"] for message in before if message["role"] != "system"]
    return "\n".join(asked or [message["content"] for message in messages])


def later_questions(rows: pl.DataFrame) -> list[list[str]]:
    """Return what the user says after the first answer, a text per turn."""
    return [[turn["content"] for turn in _from_answer(messages)] for messages in rows["messages"].to_list()]


def _from_answer(messages: Sequence[Mapping[str, str]]) -> Iterator[Mapping[str, str]]:
    after = itertools.dropwhile(lambda message: message["role"] != "assistant", messages)
    return (message for message in after if message["role"] == "user")


def folded_texts(texts: pl.Series) -> pl.Series:
    """Return texts without width, case, punctuation, blanks, invisible characters and the Chinese script's two forms.

    A text of nothing else stays as it is.
    """
    from opencc import OpenCC

    invisible, marks = r"\p{Cf}+", r"[\p{P}\s]+"
    text = pl.col("text").str.normalize("NFKC").str.to_lowercase().str.replace_all(invisible, "")
    plain = text.str.replace_all(marks, " ").str.strip_chars()
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    kept = frame.select(pl.when(plain.str.len_bytes() > 0).then(plain).otherwise("text"))["text"]
    simplified = OpenCC("t2s").convert
    return pl.Series("text", [simplified(one) for one in kept], dtype=pl.String)


def numbers_in(texts: pl.Series) -> pl.Series:
    """Return the numbers in each text in their order, joined by blanks."""
    frame = pl.DataFrame({"text": texts})
    return frame.select(pl.col("text").str.extract_all(r"\p{Nd}+").list.join(" "))["text"]


def hashed(texts: pl.Series) -> pl.Series:
    """Return 32 hex digits per text: BLAKE2b-128."""
    return pl.Series("family", [_blake2b(text, 16).hex() for text in texts], dtype=pl.String)


def lots(keys: pl.Series, seed: int, purpose: str) -> pl.Series:
    """Return a number in [0, 1) per key, even and fixed: the same key draws the same lot for one seed and purpose."""
    drawn = [int.from_bytes(_blake2b(f"{seed}:{purpose}:{key}", 8), "big") >> 11 for key in keys]
    return pl.Series("lot", [number / (1 << 53) for number in drawn], dtype=pl.Float64)


def _blake2b(text: str, size: int) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=size).digest()
