"""The config of `posttrain card`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator

from data_pipeline.attributes.taxonomy.tree import Column, Taxonomy, tree_of
from data_pipeline.exports.licences import Licences
from utils.runs.config import RunConfig, StrictModel


class SourceTarget(StrictModel):
    """A mixture that is aimed at."""

    name: str = Field(min_length=1)
    """What the target is called: a recipe, a paper."""
    shares: dict[str, float]
    """Source, or a glob over sources, → its share of all tokens."""

    @field_validator("shares")
    @classmethod
    def _parts_of_one(cls, shares: dict[str, float]) -> dict[str, float]:
        if any(share < 0 for share in shares.values()) or sum(shares.values()) > 1 + 1e-9:
            raise ValueError(f"shares are 0 or more and sum to at most 1, not {sum(shares.values()):g}")
        return shares


class CardConfig(RunConfig):
    """`posttrain card`: README.md, card.html, stats.json and a preview of a tier run, or of any rows."""

    input: Path
    """A finished tier run, or any rows: a cleaning run, a file, a glob or a folder."""
    format: str | None = None
    """The rows' format, when their keys leave it open."""
    sets: list[str] | None = Field(default=None, min_length=1)
    """Which sets of a tier run, by name or glob; by default all but the controls."""
    attributes: Path | None = None
    """A finished attributes run over these rows: scores, clusters and redundancy are told from it."""
    scores: list[Column] | None = None
    """Which measures are told, as `attribute.column`; by default every number."""
    licences: Licences = Field(default_factory=dict)
    """Source, or a glob over sources, → SPDX identifier or `unknown`. Rows of unknown licence are in no preview."""
    model_licences: Licences = Field(default_factory=dict)
    """Model, or a glob over models, → licence: of rows that say which model wrote them."""
    taxonomy: Annotated[Taxonomy | None, BeforeValidator(tree_of)] = None
    """What the rows should cover: a YAML file, or the tree itself; by default that of the attributes run, if it has
    one."""
    source_target: SourceTarget | None = None
    """The mixture of sources that is aimed at."""
    title: str | None = None
    """The data set's name; by default the run's."""
    description: str = ""
    """A few sentences that stand first on the card."""
    task_categories: tuple[str, ...] = ("text-generation",)
    """Hugging Face's names of tasks."""
    preview_rows: int = Field(default=20, ge=0)
    """Rows in preview.jsonl, spread over sets and languages."""
    redundancy_rows: int = Field(default=4000, ge=2)
    """Rows of a set that are compared with each other, drawn by lot."""
