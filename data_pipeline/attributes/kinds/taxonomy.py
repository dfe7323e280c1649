"""Which node of a user's taxonomy a row belongs to: by its tags, its keywords, or the nearest prototype."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import polars as pl
import pyarrow as pa
from pydantic import BeforeValidator

from data_pipeline.attributes.base import AttributeKeys, as_table, text_of
from data_pipeline.attributes.taxonomy.mapping import by_prototype, nodes_above, prototypes_as, tags_of, told
from data_pipeline.attributes.taxonomy.tree import Taxonomy, tree_of
from utils.errors import UserError
from utils.runs.config import Name


class TaxonomyNode(AttributeKeys):
    """`node`, null where none fits; `nodes`, it and all above it, empty then; `how`: tag, keyword or prototype.

    A tier's quota by `taxonomy.nodes` counts a row for its node and for all above.
    """

    version: ClassVar[int] = 1
    scope: ClassVar[Literal["rows", "all"]] = "rows"
    summarised: ClassVar[tuple[str, ...]] = ("node", "how")

    kind: Literal["taxonomy"] = "taxonomy"
    tree: Annotated[Taxonomy, BeforeValidator(tree_of)]
    """The tree: a YAML file, or the tree itself."""
    embedding: Name = "embedding"
    """The embedding that prototypes are compared by; not needed where no node has some."""

    @property
    def key(self) -> str:
        """The attribute's name."""
        return self.name or self.kind

    @property
    def needs(self) -> tuple[str, ...]:
        """The attribute with the tags, and the embedding where there are prototypes."""
        tags = [self.tree.column.partition(".")[0]] if self.tree.column else []
        return tuple(dict.fromkeys([*tags, *([self.embedding] if self.tree.prototyped else [])]))

    def measure(self, rows: pl.DataFrame, given: Mapping[str, pa.Table], seed: int) -> pa.Table:
        """Return `id, node, nodes, how`, one row per row."""
        tags = None
        if self.tree.column:
            name, _, column = self.tree.column.partition(".")
            if column not in given[name].column_names:
                raise UserError(f"{name} has no column {column}", where=self.key)
            tags = tags_of(pl.Series(given[name][column].to_pylist()), self.tree.column)
        asked = rows.select(text=text_of(answers=False))["text"]
        found = told(asked, tags, self.tree).with_columns(rows["id"])
        if self.tree.prototyped:
            found = self._nearest(found, given[self.embedding])
        nodes = nodes_above(found["node"], self.tree)
        return as_table(found.select("id", "node", nodes, "how"))

    def _nearest(self, found: pl.DataFrame, vectors: pa.Table) -> pl.DataFrame:
        """Map rows without a node by their vectors; prototypes are embedded as the rows of this run were."""
        left = set(found.filter(pl.col("node").is_null())["id"].to_list())
        if self._run is None:
            raise UserError("prototypes are measured in a run only", where=self.key)
        prototypes = prototypes_as(self.tree, self._run, self.embedding, self._run)
        return by_prototype(found, [vectors], prototypes, left, self.tree.floor)

    def summary(self, table: pl.DataFrame) -> dict[str, Any]:
        """Return how many rows each node has of its own, and how they came there."""
        nodes = Counter(table["node"].drop_nulls().to_list())
        how = Counter(table["how"].drop_nulls().to_list())
        own = {node.name: nodes[node.name] for node, _ in self.tree.walk()}
        return {"own_rows": own, "how": dict(sorted(how.items())), "unmapped": table["node"].null_count()}
