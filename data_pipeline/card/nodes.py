"""The nodes of a taxonomy that a card's rows belong to: as an attributes run measured them, or mapped here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from data_pipeline.attributes.store import load_columns
from data_pipeline.attributes.taxonomy.mapping import by_prototype, prototypes_as
from data_pipeline.attributes.taxonomy.tree import Taxonomy
from data_pipeline.card.config import CardConfig
from data_pipeline.card.vectors import embedding_of, manifests, tables
from utils.errors import UserError


@dataclass(frozen=True, slots=True)
class Tree:
    """The taxonomy that a card measures against.

    Args:
        taxonomy: nodes and their targets.
        attribute: the attribute that has the nodes of rows; None: they are mapped here.

    """

    taxonomy: Taxonomy
    attribute: str | None

    @property
    def to_map(self) -> Taxonomy | None:
        """The taxonomy where rows have to be mapped, else None."""
        return None if self.attribute else self.taxonomy


def tree_for(config: CardConfig) -> Tree | None:
    """Return the taxonomy that the config gives, else the attributes run's; None where there is none.

    A measured taxonomy serves when it maps as the given one does; titles and targets may differ. Of several in a run
    the one called `taxonomy`, then the first by name.
    """
    measured = {} if config.attributes is None else _measured(config.attributes)
    if (given := config.taxonomy) is not None:
        alike = (name for name, tree in measured.items() if tree.mapping == given.mapping)
        return Tree(given, next(alike, None))
    return next((Tree(tree, name) for name, tree in measured.items()), None)


def _measured(attributes: Path) -> dict[str, Taxonomy]:
    found = {
        name: Taxonomy.model_validate(manifest["parameters"]["tree"])
        for name, manifest in manifests(attributes).items()
        if manifest.get("parameters", {}).get("kind") == "taxonomy"
    }
    return dict(sorted(found.items(), key=lambda item: (item[0] != "taxonomy", item[0])))


def with_nodes(frame: pl.DataFrame, tree: Tree | None, config: CardConfig, run: Path) -> pl.DataFrame:
    """Return the rows with `node` and `how`.

    Args:
        frame: the rows; with `node, how` by tags and keywords where they have to be mapped.
        tree: the taxonomy.
        config: the card's.
        run: the card's run directory, where an embedding that asks an endpoint keeps its limits.

    Raises:
        UserError: there are prototypes, but no embedding to compare with.

    """
    if tree is None:
        return frame
    if tree.attribute is not None and config.attributes is not None:
        names = {f"{tree.attribute}.{column}": column for column in ("node", "how")}
        measured = load_columns(config.attributes, names).rename(names).with_columns(measured=True)
        return frame.join(measured, on="id", how="left", maintain_order="left")
    if not tree.taxonomy.prototyped:
        return frame
    embedding = embedding_of(config.attributes) if config.attributes else None
    if embedding is None or config.attributes is None:
        raise UserError(
            "the taxonomy has prototypes, but there is no embedding to compare with",
            where="taxonomy",
            mend="name an attributes run with an embedding, or map by keywords alone",
        )
    left = set(frame.filter(pl.col("node").is_null())["id"].to_list())
    prototypes = prototypes_as(tree.taxonomy, config.attributes, embedding, run)
    return by_prototype(frame, tables(config.attributes, embedding), prototypes, left, tree.taxonomy.floor)
