"""The tree of a taxonomy, in a config or in a YAML file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints, model_validator

from utils.runs.config import Name, StrictModel, validated
from utils.runs.config_file import read_yaml

Column = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+\.[A-Za-z0-9_]+$")]
Word = Annotated[str, StringConstraints(min_length=1)]


class Node(StrictModel):
    """A node of a taxonomy. Rows are mapped to single nodes, and count for all above."""

    name: Name
    """Its name in files; unique in the tree."""
    zh: str | None = None
    """Its Chinese name, for the page."""
    en: str | None = None
    """Its English name, for the page."""
    tags: tuple[Word, ...] = ()
    """Values of the taxonomy's `column` that say a row belongs here, besides the node's own name."""
    keywords: tuple[Word, ...] = ()
    """Words that say a prompt belongs here: English ones as whole words, Chinese ones anywhere."""
    prototypes: tuple[Word, ...] = ()
    """Prompts typical for it: rows without tag and keyword go to the nearest. Needs an embedding of meaning."""
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
    column: Column | None = None
    """A measured column of tags or of a label (`keyword_tags.tags`, `normalised_tags.tags`, `category.label`) that maps
    a row before keywords and prototypes do."""
    floor: float = Field(default=0.5, ge=-1, le=1)
    """The smallest cosine to a prototype at which a row belongs to its node; it depends on the embedding."""

    @model_validator(mode="after")
    def _can_map(self) -> Taxonomy:
        nodes = [node for node, _ in self.walk()]
        if twice := _twice([node.name for node in nodes]):
            raise ValueError(f"two nodes are called {twice!r}")
        if self.column is None:
            if tagged := [node.name for node in nodes if node.tags]:
                raise ValueError(f"{tagged[0]} has tags, but no `column` says where rows have theirs")
            if not any(node.keywords or node.prototypes for node in nodes):
                raise ValueError("no node has keywords or prototypes: no row could be mapped")
        elif twice := _twice([tag.casefold() for node in nodes for tag in {node.name, *node.tags}]):
            raise ValueError(f"the tag {twice!r} belongs to two nodes")
        return self

    def walk(self) -> Iterator[tuple[Node, tuple[str, ...]]]:
        """Yield every node with the names of the nodes above it, parents first."""

        def below(nodes: tuple[Node, ...], above: tuple[str, ...]) -> Iterator[tuple[Node, tuple[str, ...]]]:
            for node in nodes:
                yield node, above
                yield from below(node.children, (*above, node.name))

        yield from below(self.nodes, ())

    @property
    def paths(self) -> dict[str, list[str]]:
        """Of every node its own name and those above it, the uppermost first."""
        return {node.name: [*above, node.name] for node, above in self.walk()}

    @property
    def mapping(self) -> list[Any]:
        """What decides where a row goes: all but the nodes' titles and targets."""
        nodes = [(above, node.name, node.tags, node.keywords, node.prototypes) for node, above in self.walk()]
        return [self.column, self.floor, nodes]

    @property
    def prototyped(self) -> bool:
        """Tell whether any node has prototypes."""
        return any(node.prototypes for node, _ in self.walk())


def tree_of(given: Any) -> Any:
    """Put a file's tree in the place of its name: it is part of the run's key."""
    if not isinstance(given, str | Path):
        return given
    tree, lines = read_yaml(Path(given))
    return validated(Taxonomy, tree, where=str(given), lines=lines)


def _twice(names: list[str]) -> str | None:
    return min((name for name in names if names.count(name) > 1), default=None)
