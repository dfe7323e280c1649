"""The config of `posttrain view`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from utils.runs.config import Resources, RunConfig


class ViewConfig(RunConfig):
    """`posttrain view`: measured rows → a map of points: as a table, a picture and an interactive page."""

    attributes: Path
    """A finished attributes run: its rows, vectors and columns."""
    input: Path | list[Path] | None = None
    """Draw only these of its rows: a finished run, a file, a glob or a folder; or a list of them. By default all."""
    format: str | None = None
    """The rows' format, when their keys leave it open."""
    text_field: str | None = None
    """The column that is the text, for tables."""
    embedding: str = "embedding"
    """Name of the attribute whose vectors are projected."""
    tier: Path | None = None
    """A finished tier run: where each row went becomes a column."""
    after: Path | list[Path] | None = None
    """Rows that were left after a step (a tier, a finished cleaning run): the right one of a pair of maps. Rows are
    known by their ids, and both maps share one projection."""
    method: Literal["tsne", "pca", "umap"] = "tsne"
    """How vectors become points; umap needs the package umap-learn."""
    perplexity: float = Field(default=30, gt=1)
    """t-SNE: how many neighbours a point has, in effect."""
    iterations: int = Field(default=500, ge=10)
    """t-SNE: steps after the first 250, which pull neighbours together."""
    points: int = Field(default=200_000, ge=1)
    """Most points to draw; of more rows a sample by seed is drawn, and the others are counted as `not_drawn`."""
    preview: int = Field(default=160, ge=20, le=2000)
    """Characters of a row that the map shows and searches."""
    colour: str | None = None
    """The column that the picture is coloured by and the page begins with; by default the first there is of a cluster,
    a tier and the source."""
    resources: Resources | None = None
    """`cpus` is the number of threads; by default all cores. The points do not depend on it."""
    quarantine_limit: float = Field(default=0.01, ge=0, le=1)
    """Share of rows that the attributes run does not know above which the exit code is 3."""
