"""Rows that ask what an evaluation asks: equal prompts, shared n-grams, like wording (decontamination).

Checks of the prompt and of each later question of the row, after `folded_texts`:

- `exact`: equal texts.
- `ngram`: one n-gram in common, of words, or of twice as many characters in scripts without blanks between words
  (13-grams in GPT-3, Brown et al. 2020, appendix C; 8-grams in PaLM). A shorter prompt has no n-gram.
- `contained`: such a shorter evaluation prompt stands whole in the row's, if it has at least 3 words.
- `wording`: cosine of weighted character n-grams (`wording.py`): edited, shortened or reordered prompts, in any
  language and without weights. It sees no meaning: a free paraphrase or a translation passes.
- `embedding`: where the config names a model, the cosine of its vectors (`meaning.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from data_pipeline.tier.families import asked_in, folded_texts, later_questions
from data_pipeline.tier.meaning import Meaning
from data_pipeline.tier.wording import Wording
from utils.data.formats import RowError, detect
from utils.data.inputs import InputFile, find_files
from utils.data.partitions import plan_partitions
from utils.data.reading import read_partition
from utils.errors import UserError

if TYPE_CHECKING:
    from data_pipeline.tier.choices import Decontaminate

MATCHES = {
    "id": pl.String,
    "method": pl.String,
    "similarity": pl.Float64,
    "prompt": pl.String,
    "reference_file": pl.String,
    "reference_row": pl.Int64,
    "reference_text": pl.String,
}
_REFERENCE = {"file": pl.String, "row": pl.Int64, "text": pl.String}
_KEYS = ("prompt", "question", "instruction", "query", "problem", "turns", "conversations", "messages", "text", "input")
_SHOWN = 300
_CONTAINED = 3  # words that a prompt has at least to be looked for in another
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Tibetan}\p{Myanmar}\p{Khmer}]"

_BOUNDED = pl.format(" {} ", "folded")
_BARE = pl.col("folded").str.replace_all(" ", "", literal=True)  # a comma that is gone leaves no blank in Chinese


def references(settings: Decontaminate) -> pl.DataFrame:
    """Return `file, row, text` of every prompt in the evaluation's files, each different text once.

    Raises:
        UserError: no such file, a row that cannot be read, or one without a prompt.

    """
    files = find_files(list(settings.files))
    rows = [(file.relative, n, text) for file in files for n, text in _prompts(file, settings.text_field)]
    frame = pl.DataFrame(rows, schema=_REFERENCE, orient="row").filter(pl.col("text").str.strip_chars() != "")
    if frame.is_empty():
        where = ", ".join(map(str, settings.files))
        raise UserError("no prompt in there", where=where, mend="name the column of the prompt: `text_field`")
    return frame.unique("text", keep="first", maintain_order=True)


def _prompts(file: InputFile, field: str | None) -> Iterator[tuple[int, str]]:
    for partition in plan_partitions(file):
        for raw in read_partition(partition):
            if raw.row is None:
                raise UserError(str(raw.error), where=f"{file.path}, row {raw.source_row + 1}")
            texts = prompts_of(raw.row, field)
            if not texts:
                keys = ", ".join(map(str, raw.row))
                mend = "name the column of the prompt: `decontaminate.text_field`"
                raise UserError(f"no prompt in the row; its keys: {keys}", where=str(file.path), mend=mend)
            yield from ((raw.source_row, text) for text in texts)


def prompts_of(row: Mapping[str, Any], field: str | None = None) -> list[str]:
    """Return what a row of an evaluation asks: one text per turn of the user's, nothing where none is found.

    Args:
        row: in a format that we read, or with a key such as prompt, question or turns, in any case of letters.
        field: the key of the prompt.

    """
    if field is not None:
        return _texts(row.get(field))
    try:
        messages = detect(dict(row)).messages(dict(row))
        return [message.content for message in messages if message.role in ("user", "document")]
    except (UserError, RowError):
        by_key = {str(key).lower(): value for key, value in row.items()}
    own = next((texts for key in _KEYS if (texts := _texts(by_key.get(key)))), [])
    inputs = [one["input"] for one in _objects(by_key.get("instances")) if isinstance(one.get("input"), str)]
    return [f"{text}\n{more}".strip() for text in own for more in inputs] or own


def _texts(value: Any) -> list[str]:
    """Return the texts of a text, a list of texts, or a list of turns (those that are no answers)."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        return []
    turns = [one for one in _objects(value) if str(one.get("role", one.get("from"))).lower() in ("user", "human")]
    said = [turn.get("content", turn.get("value")) for turn in turns]
    return [text for text in [*value, *said] if isinstance(text, str)]


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


class Evaluation:
    """The prompts of an evaluation, ready to be looked up."""

    def __init__(self, settings: Decontaminate) -> None:
        from cleaning.duplicates.overlaps import index_of
        from cleaning.duplicates.shingles import shingle_sets

        self._settings = settings
        given = references(settings)
        self.frame = given.with_row_index("reference").with_columns(folded=folded_texts(given["text"]))
        bare = self.frame.select("reference", bare=_BARE)
        self._exact = bare.unique("bare", keep="first", maintain_order=True)
        self._long = self.frame.filter(_units() >= settings.ngram).select("reference", "folded")
        self._index = index_of(shingle_sets(self._long["folded"].to_arrow(), "script", *self._sizes))
        self._wording = Wording(self.frame["folded"])
        unspaced = self.frame.select(
            pl.col("folded").str.count_matches(_UNSPACED) * 2 > pl.col("folded").str.len_chars()
        ).to_series()
        self._worth = np.where(unspaced, settings.similarity_unspaced, settings.similarity)
        self._meaning = Meaning(given["text"], settings.model, settings.model_prefix) if settings.model else None
        self._meant = np.full(len(given), settings.model_similarity)
        text = pl.when(unspaced).then(_BARE).otherwise(_BOUNDED)
        short = self.frame.with_columns(text=text).filter((_units() >= _CONTAINED) & (_units() < settings.ngram))
        self._short = short.select("reference", "text").unique("text", keep="first", maintain_order=True)

    @property
    def _sizes(self) -> tuple[int, int]:
        return 2 * self._settings.ngram, self._settings.ngram

    def matches(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows (`id, messages`) that ask what the evaluation asks, under the schema `MATCHES`.

        Of several checks the first that finds one counts, in the order of their list above; then the earlier turn.
        """
        turns = [[first, *later] for first, later in zip(asked_in(rows), later_questions(rows), strict=True)]
        asked = pl.DataFrame({"id": rows["id"], "prompt": pl.Series(turns, dtype=pl.List(pl.String))})
        asked = asked.with_row_index("row").explode("prompt").with_row_index("place")
        asked = asked.with_columns(folded=folded_texts(asked["prompt"]))
        found = [self._equal(asked), self._sharing(asked), self._holding(asked)]
        found += [self._alike(asked, method) for method in ("wording", "embedding")]
        of_place = pl.concat(found).with_columns(row=asked["row"].gather(pl.concat(found)["place"]))
        first = of_place.unique("row", keep="first", maintain_order=True).sort("row")
        told = self.frame[first["reference"]].select(
            reference_file="file", reference_row="row", reference_text=pl.col("text").str.slice(0, _SHOWN)
        )
        mine = asked[first["place"]].select("id", pl.col("prompt").str.slice(0, _SHOWN))
        return pl.concat([mine, first.select("method", "similarity"), told], how="horizontal").select(*MATCHES)

    def _equal(self, asked: pl.DataFrame) -> pl.DataFrame:
        same = asked.with_columns(bare=_BARE).join(self._exact, on="bare", how="inner", maintain_order="left")
        return _found(same["place"], "exact", pl.Series([1.0] * len(same), dtype=pl.Float64), same["reference"])

    def _sharing(self, asked: pl.DataFrame) -> pl.DataFrame:
        """Return rows that share an n-gram with a reference; similarity is the share of its n-grams."""
        from cleaning.duplicates.overlaps import overlaps
        from cleaning.duplicates.shingles import shingle_sets

        long = asked.filter(_units() >= self._settings.ngram)
        sets = shingle_sets(long["folded"].to_arrow(), "script", *self._sizes)
        text, reference, _, share = overlaps(self._index, sets, 1.1, 1e-9)
        best = pl.DataFrame({"text": text, "reference": reference, "share": share}).sort(
            "text", -pl.col("share"), "reference"
        )
        best = best.unique("text", keep="first", maintain_order=True)
        return _found(
            long["place"].gather(best["text"]),
            "ngram",
            best["share"],
            self._long["reference"].gather(best["reference"]),
        )

    def _holding(self, asked: pl.DataFrame) -> pl.DataFrame:
        """Return rows in which a short reference stands whole; similarity is its share of the characters."""
        patterns = self._short["text"].implode()
        parts = []
        for text in (_BARE, _BOUNDED):
            held = asked.select(
                "place", length=text.str.len_chars(), text=text.str.extract_many(patterns, overlapping=True)
            )
            parts.append(held.explode("text").drop_nulls("text"))
        held = pl.concat(parts).join(self._short, on="text", how="inner", maintain_order="left")
        held = held.with_columns(share=pl.col("text").str.len_chars() / pl.col("length"))
        best = held.sort("place", -pl.col("share"), "reference").unique("place", keep="first", maintain_order=True)
        return _found(best["place"], "contained", best["share"], best["reference"])

    def _alike(self, asked: pl.DataFrame, method: str) -> pl.DataFrame:
        """Return rows with a reference of like wording, or of like meaning by the model; similarity is the cosine."""
        checks = {
            "wording": (self._wording, "folded", self._worth),
            "embedding": (self._meaning, "prompt", self._meant),
        }
        check, column, worth = checks[method]
        found = list(check.nearest(asked[column], worth)) if check is not None else []
        places = asked["place"].gather([place for place, _, _ in found])
        similarity = pl.Series([cosine for _, _, cosine in found], dtype=pl.Float64)
        return _found(places, method, similarity, pl.Series([one for _, one, _ in found], dtype=pl.UInt32))


def _found(place: pl.Series, method: str, similarity: pl.Series, reference: pl.Series) -> pl.DataFrame:
    frame = pl.DataFrame({"place": place, "similarity": similarity, "reference": reference})
    kinds = {"place": pl.UInt32, "similarity": pl.Float64, "reference": pl.UInt32}
    return frame.cast(kinds).with_columns(method=pl.lit(method))  # type: ignore[arg-type]


def _units() -> pl.Expr:
    """Return the length of `folded` in words; two characters of a script without blanks count as one."""
    text = pl.col("folded")
    unspaced = text.str.count_matches(_UNSPACED)
    return unspaced / 2 + text.str.replace_all(_UNSPACED, " ").str.count_matches(r"[\p{L}\p{M}\p{N}]+")
