"""The config of `posttrain attributes`, and the union of all kinds of attributes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from data_pipeline.attributes.base import Attribute
from data_pipeline.attributes.kinds.cluster import Cluster
from data_pipeline.attributes.kinds.diversity import Diversity
from data_pipeline.attributes.kinds.embedding import Embedding
from data_pipeline.attributes.kinds.endpoint_embedding import EndpointEmbedding
from data_pipeline.attributes.kinds.ifd import Ifd
from data_pipeline.attributes.kinds.judged import Judged
from data_pipeline.attributes.kinds.keyword_tags import KeywordTags
from data_pipeline.attributes.kinds.normalised_tags import NormalisedTags
from data_pipeline.attributes.kinds.open_tags import OpenTags
from data_pipeline.attributes.kinds.reward import Reward
from data_pipeline.attributes.kinds.scorer import Scored
from data_pipeline.attributes.kinds.semantic_duplicates import SemanticDuplicates
from data_pipeline.attributes.kinds.sentence_embedding import SentenceEmbedding
from data_pipeline.attributes.kinds.taxonomy import TaxonomyNode
from data_pipeline.attributes.kinds.text_statistics import TextStatistics
from utils.runs.config import Name, ParallelConfig, StrictModel

# One line per file in kinds/; a test holds the two together.
AnyAttribute = Annotated[
    TextStatistics
    | Embedding
    | Cluster
    | SemanticDuplicates
    | Diversity
    | KeywordTags
    | OpenTags
    | NormalisedTags
    | TaxonomyNode
    | Ifd
    | SentenceEmbedding
    | EndpointEmbedding
    | Reward
    | Scored
    | Judged,
    Field(discriminator="kind"),
]  # fmt: skip


class OneAttribute(StrictModel):
    """An attribute on its way to a worker."""

    attribute: AnyAttribute


class AttributesConfig(ParallelConfig):
    """`posttrain attributes`: measures beside the rows, each in a folder of its own, keyed by id."""

    input: Path | list[Path]
    """Rows: a finished cleaning run (its good rows), a file, a glob or a folder; or a list of them."""
    format: str | None = None
    """The rows' format, when their keys leave it open."""
    text_field: str | None = None
    """The column that is the text, for tables."""
    partition_bytes: int = Field(default=32 << 20, ge=1)
    """Bytes of input per task; a file is cut at row borders."""
    attributes: list[AnyAttribute] = Field(default=[TextStatistics(), Embedding(), Cluster()], min_length=1)
    """What is measured. An attribute that builds on another (a cluster on an embedding) names it."""
    only: list[Name] | None = None
    """Measure only these; what they build on comes with them."""
    quarantine_limit: float = Field(default=0.01, ge=0, le=1)
    """Share of unreadable rows above which the exit code is 3."""

    @model_validator(mode="after")
    def _names_agree(self) -> AttributesConfig:
        names = [attribute.key for attribute in self.attributes]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two attributes are called {twice[0]!r}; give one a `name`")
        wanted = [*(self.only or []), *(need for attribute in self.attributes for need in attribute.needs)]
        if unknown := [name for name in wanted if name not in names]:
            raise ValueError(f"no attribute is called {unknown[0]!r}; there are {', '.join(names)}")
        self.levels()
        return self

    def levels(self) -> list[list[Attribute]]:
        """Return the wanted attributes, each level building on earlier ones only.

        Raises:
            ValueError: attributes that build on each other in a circle.

        """
        waiting = self._wanted()
        levels: list[list[Attribute]] = []
        while waiting:
            ready = [a for a in waiting if not {other.key for other in waiting}.intersection(a.needs)]
            if not ready:
                raise ValueError(f"these build on each other: {', '.join(a.key for a in waiting)}")
            levels.append(ready)
            waiting = [a for a in waiting if a not in ready]
        return levels

    def _wanted(self) -> list[Attribute]:
        by_name: dict[str, Attribute] = {attribute.key: attribute for attribute in self.attributes}
        wanted, waiting = set(), list(self.only or by_name)
        while waiting:
            name = waiting.pop()
            if name not in wanted:
                wanted.add(name)
                waiting += by_name[name].needs
        return [attribute for name, attribute in by_name.items() if name in wanted]
