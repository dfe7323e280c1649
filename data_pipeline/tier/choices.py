"""The parts of a tier's config: floors, bands, limits, seeds, evaluations."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from utils.runs.config import Name, StrictModel

Column = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+\.[A-Za-z0-9_]+$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
REST = "*"


class Floor(StrictModel):
    """Rows below it are dropped."""

    attribute: Column
    """The measure, as `attribute.column`."""
    minimum: Finite
    """The smallest value that stays."""


class Band(StrictModel):
    """A tier: a part of the rows by difficulty."""

    name: Name
    """The tier's name."""
    quantiles: tuple[Finite, Finite] | None = None
    """By rank: [0, 0.5] is the easier half. Equal values are ordered by id, a hash of the content: sizes are exact."""
    range: tuple[Finite | None, Finite | None] | None = None
    """By value: from the first number (included) to the second (not included); null is no end."""
    rows: int | None = Field(default=None, ge=1)
    """The tier's budget: at most so many rows, or"""
    tokens: int | None = Field(default=None, ge=1)
    """at most so many tokens."""

    @model_validator(mode="after")
    def _one_kind_in_order(self) -> Band:
        if (self.quantiles is None) == (self.range is None):
            raise ValueError("give either quantiles or range")
        if self.rows is not None and self.tokens is not None:
            raise ValueError("give either rows or tokens")
        low, high = self.limits
        if low >= high:
            raise ValueError(f"{low} is not below {high}")
        if self.quantiles and not (low >= 0 and high <= 1):
            raise ValueError("quantiles are between 0 and 1")
        return self

    @property
    def limits(self) -> tuple[float, float]:
        """Lower and upper limit, no end as infinity."""
        low, high = self.quantiles or self.range or (None, None)
        return (float("-inf") if low is None else low, float("inf") if high is None else high)


def phased() -> list[Band]:
    """Return the three stages of PhasedSFT (Pang et al. 2024): [1, 1.5], (1.5, 3.5), [3.5, 5].

    A range does not hold its upper end, so the two ends that belong to their stage are the next larger number.
    """
    first, last = math.nextafter(1.5, math.inf), math.nextafter(5, math.inf)
    limits = ((1, first), (first, 3.5), (3.5, last))
    return [Band(name=f"stage-{number}", range=limit) for number, limit in enumerate(limits, start=1)]


class Diversity(StrictModel):
    """Which rows of a tier come first, and how alike two of them may be.

    Rows are taken one after another, and a row is refused by whatever is full by then.
    """

    first: tuple[Column, ...] = ()
    """Rows with a larger product of these measures come first (DEITA: complexity × quality); else lots decide."""
    cluster: Column | None = None
    """The column of clusters, and"""
    cluster_rows: int | None = Field(default=None, ge=1)
    """how many rows of one cluster a tier may have, or"""
    cluster_tokens: int | None = Field(default=None, ge=1)
    """how many tokens."""
    embedding: Name | None = None
    """The embedding attribute by which rows are compared (DEITA's selection), and"""
    similarity: float = Field(default=0.9, gt=0, le=1)
    """the cosine to a row already taken above which a row is refused."""

    @model_validator(mode="after")
    def _cluster_has_one_cap(self) -> Diversity:
        caps = [cap for cap in (self.cluster_rows, self.cluster_tokens) if cap is not None]
        if len(caps) != (0 if self.cluster is None else 1):
            raise ValueError("cluster comes with either cluster_rows or cluster_tokens")
        return self

    @property
    def vector(self) -> str | None:
        """The measure that tells whether a row has a vector."""
        return f"{self.embedding}.vector" if self.embedding else None


class Quota(StrictModel):
    """How much of a tier has certain values; `*` stands for all other values together.

    A named value has its room to itself: other values get what is left of the tier's budget in the same unit.
    """

    by: Literal["lang", "source"] | Column
    """The language, the source, or a column of an attribute; a row with a list of tags counts for each."""
    share: dict[str, Finite] | None = None
    """Of the tier's budget, by value."""
    rows: dict[str, int] | None = None
    """So many rows, by value; a tier without a budget in rows does not bind other values."""
    tokens: dict[str, int] | None = None
    """So many tokens, by value."""

    @model_validator(mode="after")
    def _one_unit(self) -> Quota:
        given = [part for part in (self.share, self.rows, self.tokens) if part is not None]
        if len(given) != 1 or not given[0]:
            raise ValueError("give one of share, rows or tokens, by value")
        if min(given[0].values()) < 0:
            raise ValueError("a quota is not below 0")
        if self.share is not None and sum(self.share.values()) > 1 + 1e-9:
            raise ValueError(f"shares sum to {sum(self.share.values()):g}, over 1")
        return self


class Seed(StrictModel):
    """Prompts for preference data, taken out of a tier; no two seeds share a prompt family."""

    model_config = ConfigDict(populate_by_name=True)

    name: Name
    """The name of the file below `seeds/`."""
    tier: Name = Field(alias="from")
    """The tier the rows are taken from; written `from` in YAML."""
    share: float | None = Field(default=None, gt=0, le=1)
    """Part of the tier's rows, or"""
    rows: int | None = Field(default=None, ge=1)
    """their number. Families are taken whole, so the last may exceed it; fewer when the tier has no more."""
    spread: Column | None = None
    """Take from the values of this column (a cluster, a tag) in turns."""

    @model_validator(mode="after")
    def _one_measure(self) -> Seed:
        if (self.share is None) == (self.rows is None):
            raise ValueError("give either share or rows")
        return self


class Decontaminate(StrictModel):
    """Prompts of evaluations; rows that ask the same are dropped, their prompt families with them."""

    files: list[Path] = Field(min_length=1)
    """Files, folders or globs: rows of a format that we read, or with a key such as prompt, question or turns."""
    text_field: str | None = None
    """The key of the prompt, where it has another name."""
    ngram: int = Field(default=8, ge=8, le=13)
    """Words in a common n-gram; of scripts without blanks, twice as many characters."""
    similarity: float = Field(default=0.6, gt=0, le=1)
    """The least cosine of weighted character n-grams, and"""
    similarity_unspaced: float = Field(default=0.45, gt=0, le=1)
    """the least for evaluation prompts in scripts without blanks, such as Chinese."""
    model: Path | None = None
    """A sentence-transformers directory by which prompts are compared too, for paraphrases and translations, and"""
    model_similarity: float = Field(default=0.9, gt=0, le=1)
    """the least cosine of its vectors. It depends on the model: look at some matches first."""
    model_prefix: str = ""
    """Put before every text, for models that were trained with one (`query: `)."""
