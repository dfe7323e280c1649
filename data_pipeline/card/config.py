"""The config of `posttrain card`, and the taxonomy that coverage is measured against."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints, field_validator, model_validator

from data_pipeline.exports.licences import Licences
from utils.runs.config import Name, RunConfig, StrictModel, validated
from utils.runs.config_file import read_yaml

Column = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+\.[A-Za-z0-9_]+$")]
Word = Annotated[str, StringConstraints(min_length=1)]


class Node(StrictModel):
    """A node of a taxonomy. Rows are mapped to the nodes that have keywords or prototypes, and count for all above."""

    name: Name
    """Its name in files; unique in the tree."""
    zh: str | None = None
    """Its Chinese name, for the page."""
    en: str | None = None
    """Its English name, for the page."""
    keywords: tuple[Word, ...] = ()
    """Words that say a prompt belongs here: English ones as whole words, Chinese ones anywhere."""
    prototypes: tuple[Word, ...] = ()
    """Prompts typical for it: rows without keyword go to the nearest prototype. Needs an embedding of meaning."""
    rows: int | None = Field(default=None, ge=1)
    """How many rows there should be, or"""
    share: float | None = Field(default=None, gt=0, le=1)
    """which share of all rows."""
    children: tuple[Node, ...] = ()
    """Finer nodes."""

    @model_validator(mode="after")
    def _one_target(self) -> Node:
        if self.rows is not None and self.share is not None:
            raise ValueError(f"{self.name}: give either rows or share")
        return self


class Taxonomy(StrictModel):
    """A tree of what the data should cover."""

    nodes: tuple[Node, ...] = Field(min_length=1)
    """The uppermost nodes."""
    floor: float = Field(default=0.5, ge=-1, le=1)
    """The smallest cosine to a prototype at which a row belongs to its node; it depends on the embedding."""

    @model_validator(mode="after")
    def _names_differ(self) -> Taxonomy:
        names = [node.name for node, _ in self.walk()]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two nodes are called {twice[0]!r}")
        if not any(node.keywords or node.prototypes for node, _ in self.walk()):
            raise ValueError("no node has keywords or prototypes: no row could be mapped")
        return self

    def walk(self) -> Iterator[tuple[Node, tuple[str, ...]]]:
        """Yield every node with the names of the nodes above it, parents first."""

        def below(nodes: tuple[Node, ...], above: tuple[str, ...]) -> Iterator[tuple[Node, tuple[str, ...]]]:
            for node in nodes:
                yield node, above
                yield from below(node.children, (*above, node.name))

        yield from below(self.nodes, ())


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
    taxonomy: Taxonomy | None = None
    """What the rows should cover: a YAML file, or the tree itself."""
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

    @field_validator("taxonomy", mode="before")
    @classmethod
    def _by_file(cls, given: Any) -> Any:
        """Put a file's tree in the place of its name: it is part of the run's key."""
        if not isinstance(given, str | Path):
            return given
        tree, lines = read_yaml(Path(given))
        return validated(Taxonomy, tree, where=str(given), lines=lines)
