"""Open tags by a chat model (InsTag): as it wrote them. `normalised_tags` makes them countable."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import polars as pl
import pyarrow as pa
from pydantic import Field

from data_pipeline.attributes.base import AttributeKeys
from data_pipeline.attributes.tags.asking import ask_tags
from utils.errors import StageFailedError
from utils.models.chat.config import ChatModelConfig


class OpenTags(AttributeKeys):
    """`tags`: as the model wrote them, empty where there are none; `error`: why there are none, else null."""

    version: ClassVar[int] = 1
    scope: ClassVar[Literal["rows", "all"]] = "rows"
    needs: ClassVar[tuple[str, ...]] = ()
    summarised: ClassVar[tuple[str, ...]] = ("error",)

    kind: Literal["open_tags"] = "open_tags"
    model: ChatModelConfig
    """Who tags."""
    characters: int = Field(default=2000, ge=1)
    """Only so many characters of what the user wrote are shown to the model."""

    @property
    def key(self) -> str:
        """The attribute's name."""
        return self.name or self.kind

    @property
    def reads(self) -> list[Path]:
        """A local model."""
        return list(self.model.inputs)

    @property
    def leaves_host(self) -> str | None:
        """What the chat model sends to another host."""
        return self.model.leaves_host

    def measure(self, rows: pl.DataFrame, given: Mapping[str, pa.Table], seed: int) -> pa.Table:
        """Return `id, tags, error`, one row per row.

        Raises:
            RetryLaterError: budget, rate limit or breaker; what was answered is kept in the run and not paid again.

        """
        if self._run is None:
            raise StageFailedError("a chat model keeps its answers in a run", where=self.key)
        with self.model.open(self._run) as chat:
            found = ask_tags(chat, rows, self.characters, seed)
        return pa.table(
            {
                "id": pa.array(rows["id"].to_list(), pa.string()),
                "tags": pa.array([tagged.tags for tagged in found], pa.list_(pa.string())),
                "error": pa.array([tagged.error for tagged in found], pa.string()),
            }
        )

    def summary(self, table: pl.DataFrame) -> dict[str, Any]:
        """Return how many rows have tags, and why the others have none."""
        errors = dict(sorted(table["error"].drop_nulls().value_counts().rows()))
        return {"tagged": table["error"].null_count(), "untagged": errors}
