"""The config of `posttrain tier`."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from data_pipeline.quota import quotas_of
from data_pipeline.tier.choices import Band, Column, Decontaminate, Diversity, Floor, Quota, Seed, phased
from utils.runs.config import RunConfig

Control = Literal["random", "tokens", "lengths"]
WrittenFormat = Literal[
    "chat", "alpaca", "sharegpt", "data_list", "dolly", "prompt_completion", "seed_task", "document"
]


def _bands(value: Any) -> Any:
    return phased() if value == "phased" else value


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
    tokens: Column | None = None
    """What counts as a row's tokens; by default words and characters of Chinese, Japanese and Korean, by estimate."""
    families: float | None = Field(default=0.7, gt=0, le=1)
    """Prompts this alike (Jaccard of 3-grams of characters, numbers equal) are one family; null: equal ones."""
    decontaminate: Decontaminate | None = None
    """Evaluations whose prompts may be in no tier, seed or held-out part."""
    floor: tuple[Floor, ...] = ()
    """Minimum of named measures."""
    difficulty: Column
    """What orders the tiers. No score is hidden: `text_statistics.tokens_estimate` is length, no more."""
    bands: Annotated[list[Band], BeforeValidator(_bands)] = Field(min_length=1)
    """The tiers; a row in none of them is dropped. `phased` is PhasedSFT's three, for difficulties from 1 to 5."""
    per_language: bool = True
    """Quantiles are taken in each language by itself."""
    diversity: Diversity = Diversity()
    """Which rows of a tier come first, and how alike two of them may be."""
    quotas: Annotated[tuple[Quota, ...], BeforeValidator(quotas_of)] = ()
    """How much of every tier may be of one language, source or tag; or a card's quota.yaml."""
    held_out: float = Field(default=0.0, ge=0, lt=1)
    """Share of prompt families kept for evaluation, split off before any measure is looked at."""
    seeds: tuple[Seed, ...] = ()
    """Preference seeds, in the order of the rounds; they are taken out of the tiers that are left by all the above."""
    controls: tuple[Control, ...] = ()
    """Chance selections beside every tier: as many rows, as many tokens, or the same lengths."""
    jsonl: tuple[WrittenFormat, ...] = ("chat",)
    """Formats in which tiers and controls are written beside the Parquet."""
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

    @model_validator(mode="after")
    def _shares_have_a_whole(self) -> TierConfig:
        unlimited = [band.name for band in self.bands if band.rows is None and band.tokens is None]
        if unlimited and (by := [quota.by for quota in self.quotas if quota.share is not None]):
            raise ValueError(f"a share by {by[0]} is of the tier's budget: give {unlimited[0]!r} rows or tokens")
        if twice := [quota.by for n, quota in enumerate(self.quotas) if quota.by in [q.by for q in self.quotas[:n]]]:
            raise ValueError(f"two quotas by {twice[0]}")
        return self

    @property
    def numbers(self) -> list[str]:
        """The measures that must be numbers, each once."""
        named = [self.difficulty, *(floor.attribute for floor in self.floor), *self.diversity.first]
        return list(dict.fromkeys([*named, *([self.tokens] if self.tokens else [])]))

    @property
    def columns(self) -> list[str]:
        """The measures that are asked for, each once."""
        others = [self.diversity.cluster, *(quota.by for quota in self.quotas), *(seed.spread for seed in self.seeds)]
        return list(dict.fromkeys([*self.numbers, *(name for name in others if name and "." in name)]))
