"""Text statistics: what can be counted without a model. Plain measures; none claims to be quality or difficulty."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa

from data_pipeline.attributes.base import UNIT, AttributeKeys, as_table, text_of
from data_pipeline.attributes.scoring_models import held
from utils.models.locate import load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_FENCED = r"(?s)```.*?```"
# A dollar's inside touches it and has no blank line, as in Markdown; "$5 and $6" is money.
_MATHS = r"(?s)\$\$.+?\$\$|\\\(.+?\\\)|\\\[.+?\\\]|\$[^\s$](?:[^$\n]*[^\s$])?\$"


class TextStatistics(AttributeKeys):
    """Lengths and shares of a row.

    | column | meaning |
    |---|---|
    | `characters` | of all turns, joined by newlines |
    | `tokens_estimate` | Chinese, Japanese and Korean characters + words of other scripts; no tokenizer is asked |
    | `turns` | messages that are not `system` |
    | `lang` | as the record says |
    | `answer_characters` | of the assistant's turns; null in a row without one |
    | `prompt_characters` | of the other turns; null in a row without answer |
    | `distinct_share` | different tokens (case ignored) ÷ tokens; falls with length; null in a row without tokens |
    | `code_share` | characters inside closed ``` fences ÷ characters |
    | `digit_share` | decimal digits of any script ÷ characters |
    | `maths_share` | characters inside `$…$`, `$$…$$`, TeX parentheses and brackets ÷ characters |
    | `tokens` | of each turn's text by `tokenizer`, without special tokens and template; only where one is named |
    """

    version: ClassVar[int] = 1
    scope: ClassVar[Literal["rows", "all"]] = "rows"
    needs: ClassVar[tuple[str, ...]] = ()

    kind: Literal["text_statistics"] = "text_statistics"
    tokenizer: Path | None = None
    """A Hugging Face directory with a tokenizer, for the column `tokens`."""

    @property
    def key(self) -> str:
        """The attribute's name."""
        return self.name or self.kind

    @property
    def reads(self) -> list[Path]:
        """The tokenizer."""
        return [self.tokenizer] if self.tokenizer else []

    def measure(self, rows: pl.DataFrame, given: Mapping[str, pa.Table], seed: int) -> pa.Table:
        """Return the columns above, one row per row."""
        table = statistics(rows)
        if self.tokenizer is None:
            return as_table(table)
        return as_table(table.with_columns(tokens=token_counts(rows["messages"], held(load_tokenizer, self.tokenizer))))


def statistics(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the statistics of rows (`id, lang, messages`) in their order."""
    texts = rows.select(
        "id", "lang", "messages", text=text_of(), answer=text_of(answers=True), rest=text_of(answers=False)
    )
    units = texts.with_columns(
        units=pl.col("text").str.to_lowercase().str.extract_all(UNIT),
        characters=pl.col("text").str.len_chars().cast(pl.Int64),
        roles=pl.col("messages").list.eval(pl.element().struct.field("role")),
    )
    answered = pl.col("roles").list.contains("assistant")
    tokens = pl.col("units").list.len().cast(pl.Int64)
    return units.select(
        "id",
        "characters",
        tokens_estimate=tokens,
        turns=(pl.col("roles").list.len() - pl.col("roles").list.count_matches("system")).cast(pl.Int64),
        lang="lang",
        prompt_characters=pl.when(answered).then(pl.col("rest").str.len_chars().cast(pl.Int64)),
        answer_characters=pl.when(answered).then(pl.col("answer").str.len_chars().cast(pl.Int64)),
        distinct_share=pl.when(tokens > 0).then(pl.col("units").list.n_unique() / tokens),
        code_share=_share(pl.col("text").str.len_chars() - pl.col("text").str.replace_all(_FENCED, "").str.len_chars()),
        maths_share=_share(pl.col("text").str.extract_all(_MATHS).list.join("").str.len_chars()),
        digit_share=_share(pl.col("text").str.count_matches(r"\p{Nd}")),
    )


def token_counts(rows: pl.Series, tokenizer: PreTrainedTokenizerBase) -> pl.Series:
    """Return the tokens of each row's turns, int64 [rows]."""
    turns = rows.list.eval(pl.element().struct.field("content"))
    texts = turns.explode(empty_as_null=False).to_list()
    sizes = [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]] if texts else []
    row = np.repeat(np.arange(len(rows)), turns.list.len().to_numpy())
    return pl.Series(np.bincount(row, weights=sizes, minlength=len(rows)).astype(np.int64))


def _share(part: pl.Expr) -> pl.Expr:
    """Return a number of characters as a share of all, null in an empty row."""
    return pl.when(pl.col("characters") > 0).then(part.cast(pl.Float64) / pl.col("characters"))
