"""The config of `posttrain tier`."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from utils.runs.config import Name, RunConfig, StrictModel

Column = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+\.[A-Za-z0-9_]+$")]


class Floor(StrictModel):
    """Rows below it are dropped."""

    attribute: Column
    """The measure, as `attribute.column`."""
    minimum: float
    """The smallest value that stays."""


class Band(StrictModel):
    """A tier: a part of the rows by difficulty."""

    name: Name
    """The tier's name."""
    quantiles: tuple[float, float] | None = None
    """By rank: [0, 0.5] is the easier half. Equal values are ordered by the hash of the id, so sizes are exact."""
    range: tuple[float | None, float | None] | None = None
    """By value: from the first number (included) to the second (not included); null is no end."""

    @model_validator(mode="after")
    def _one_kind_in_order(self) -> Band:
        if (self.quantiles is None) == (self.range is None):
            raise ValueError("give either quantiles or range")
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

    @model_validator(mode="after")
    def _one_measure(self) -> Seed:
        if (self.share is None) == (self.rows is None):
            raise ValueError("give either share or rows")
        return self


class TierConfig(RunConfig):
    """`posttrain tier`: rows and their attributes → tiers, seeds and held-out rows; one decision per row."""

    input: Path
    """Rows: a finished cleaning run (its good rows), a file, a glob or a folder."""
    format: str | None = None
    """The rows' format, when their keys leave it open."""
    text_field: str | None = None
    """The column that is the text, for tables."""
    attributes: Path
    """The finished attributes run over the same rows."""
    floor: tuple[Floor, ...] = ()
    """Minimum of named measures."""
    difficulty: Column
    """What orders the tiers. No score is hidden: `text_statistics.tokens_estimate` is length, no more."""
    bands: list[Band] = Field(min_length=1)
    """The tiers; a row in none of them is dropped."""
    per_language: bool = True
    """Quantiles are taken in each language by itself."""
    held_out: float = Field(default=0.0, ge=0, lt=1)
    """Share of prompt families kept for evaluation, split off before anything else looks at the rows."""
    seeds: tuple[Seed, ...] = ()
    """Preference seeds, in the order of the rounds."""
    quarantine_limit: float = Field(default=0.01, ge=0, le=1)
    """Share of rows without attributes above which the exit code is 3."""

    @model_validator(mode="after")
    def _names_agree(self) -> TierConfig:
        tiers, seeds = [band.name for band in self.bands], [seed.name for seed in self.seeds]
        for names in (tiers, seeds):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"the name {twice[0]!r} stands twice")
        if unknown := [seed.tier for seed in self.seeds if seed.tier not in tiers]:
            raise ValueError(f"no tier is called {unknown[0]!r}; there are {', '.join(tiers)}")
        return self

    @model_validator(mode="after")
    def _bands_do_not_overlap(self) -> TierConfig:
        if len({band.quantiles is None for band in self.bands}) > 1:
            raise ValueError("bands are all by quantiles or all by range: a row must be in one tier only")
        ordered = sorted(self.bands, key=lambda band: band.limits)
        for one, other in itertools.pairwise(ordered):
            if one.limits[1] > other.limits[0]:
                raise ValueError(f"the bands {one.name!r} and {other.name!r} overlap")
        return self

    @property
    def columns(self) -> list[str]:
        """The measures that are asked for, each once."""
        return list(dict.fromkeys([self.difficulty, *(floor.attribute for floor in self.floor)]))
