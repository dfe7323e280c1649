"""Tags by keywords: what kind of task a row is, by rules that can be read. Offline; Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import polars as pl
import pyarrow as pa
from pydantic import Field, field_validator

from data_pipeline.attributes.base import AttributeKeys, text_of
from data_pipeline.attributes.tags.rules import TagRules, find_tags, load_rules


class KeywordTags(AttributeKeys):
    """`tags`: all that fit, most telling first, empty where none does; `tag`: the first of them, else null.

    Rules of a row's language apply to it; to a row in a language without rules, none.
    """

    version: ClassVar[int] = 1
    scope: ClassVar[Literal["rows", "all"]] = "rows"
    needs: ClassVar[tuple[str, ...]] = ()

    kind: Literal["keyword_tags"] = "keyword_tags"
    rules: tuple[TagRules, ...] = Field(default=("zh", "en"), min_length=1)  # type: ignore[arg-type]
    """Files of rules: `zh` and `en` are shipped (configs/attributes/tags/), others by path; or the rules themselves."""
    beginning: int = Field(default=300, ge=1)
    """Only so many characters of what the user wrote, and of what the assistant wrote, are looked at."""

    @field_validator("rules", mode="before")
    @classmethod
    def _by_name(cls, given: Any) -> Any:
        """Put a file's rules in the place of its name: they are part of the run's key."""
        if not isinstance(given, list | tuple):
            given = [given]
        return tuple(load_rules(one) if isinstance(one, str | Path) else one for one in given)

    @property
    def key(self) -> str:
        """The attribute's name."""
        return self.name or self.kind

    def measure(self, rows: pl.DataFrame, given: Mapping[str, pa.Table], seed: int) -> pa.Table:
        """Return `id, tag, tags`, one row per row."""
        texts = rows.select(
            lang="lang",
            prompt=_folded(text_of(answers=False), self.beginning),
            answer=_folded(text_of(answers=True), self.beginning),
        )
        tags = [tagged(texts, rules) for rules in self.rules]
        found = pl.DataFrame(tags).select(tags=pl.concat_list(pl.all()).list.unique(maintain_order=True))["tags"]
        return pa.table(
            {
                "id": pa.array(rows["id"].to_list(), pa.string()),
                "tag": pa.array(found.list.first().to_list(), pa.string()),
                "tags": pa.array(found.to_list(), pa.list_(pa.string())),
            }
        )


def tagged(texts: pl.DataFrame, rules: TagRules) -> pl.Series:
    """Return the tags by one file of rules; empty lists for rows of another language."""
    found = find_tags(texts, rules)
    if rules.language is None:
        return found
    own = texts["lang"] == rules.language
    return (
        found.to_frame("tags")
        .select(pl.when(own).then(pl.col("tags")).otherwise(pl.lit([], dtype=pl.List(pl.String))))
        .to_series()
        .rename(rules.language)
    )


def _folded(text: pl.Expr, characters: int) -> pl.Expr:
    """Return the expression for the beginning of a text in NFKC and lower case; line breaks stay."""
    return text.str.head(characters).str.normalize("NFKC").str.to_lowercase().str.strip_chars()
