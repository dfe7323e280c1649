"""Embeddings by an OpenAI-compatible `/v1/embeddings`: text-embeddings-inference, vLLM, llama.cpp, or a provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import AfterValidator, Field, model_validator

from data_pipeline.attributes.base import AttributeKeys, text_of
from data_pipeline.attributes.kinds.embedding import vector_column
from utils.errors import StageFailedError
from utils.models.chat.allow import check_url, host_of, is_loopback
from utils.runs.config import SecretRef


class EndpointEmbedding(AttributeKeys):
    """A float16 vector of length 1 per row in `embedding`; null for a row without text.

    `characters_cut` counts what `max_characters` left out. An endpoint that cuts by itself does not say so: set
    `max_characters` below its limit.
    """

    version: ClassVar[int] = 1
    scope: ClassVar[Literal["rows", "all"]] = "rows"
    needs: ClassVar[tuple[str, ...]] = ()
    summarised: ClassVar[tuple[str, ...]] = ("characters_cut",)
    placement: ClassVar[frozenset[str]] = frozenset(
        {"api_key", "allow_hosts", "insecure", "batch_size", "requests_per_minute", "timeout_s", "tries", "patience_s"}
    )

    kind: Literal["endpoint_embedding"] = "endpoint_embedding"
    base_url: Annotated[str, AfterValidator(lambda url: url.rstrip("/"))]
    """Up to the version, as in https://api.example.com/v1."""
    model: str = Field(min_length=1)
    """The model's name there."""
    dimensions: int = Field(ge=1, le=65_536)
    """Length of a vector. Another length that comes back ends the run."""
    shorten: bool = False
    """Ask for `dimensions`, of models that can give shorter vectors than their own."""
    api_key: SecretRef | None = None
    """env:NAME or file:PATH."""
    allow_hosts: tuple[str, ...] = ()
    """Hosts other than this machine that texts may be sent to."""
    insecure: bool = False
    """Allow plain http to another machine."""
    text: Literal["all", "prompt", "answer"] = "all"
    """What is embedded: all turns, or without or only the assistant's."""
    prefix: str = ""
    """Put before every text, for models that were trained with one (`query: `)."""
    max_characters: int = Field(default=4000, ge=1)
    """Only the beginning of a longer text is sent."""
    batch_size: int = Field(default=64, ge=1, le=2048)
    """Texts per call."""
    requests_per_minute: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Over all workers of this host."""
    timeout_s: float = Field(default=120.0, gt=0, allow_inf_nan=False)
    """Limit of one call."""
    tries: int = Field(default=6, ge=1, le=100)
    """Calls for one batch before the run ends with exit code 75."""
    patience_s: float = Field(default=300.0, ge=0, allow_inf_nan=False)
    """The longest Retry-After that is waited for."""

    @model_validator(mode="after")
    def _allowed(self) -> EndpointEmbedding:
        check_url(self.base_url, self.allow_hosts, insecure=self.insecure)
        return self

    @property
    def key(self) -> str:
        """The attribute's name."""
        return self.name or self.kind

    @property
    def leaves_host(self) -> str | None:
        """Which texts go where."""
        if is_loopback(self.base_url):
            return None
        return f"the texts of all rows go to {host_of(self.base_url)} (model {self.model})"

    @property
    def label(self) -> str:
        """The model's name in messages."""
        return f"{self.model} at {host_of(self.base_url)}"

    @property
    def identity(self) -> dict[str, Any]:
        """What makes its vectors others."""
        shortened = {"dimensions": self.dimensions} if self.shorten else {}
        return {"model": self.model, "base_url": self.base_url, "api": "embeddings", **shortened}

    def measure(self, rows: pl.DataFrame, given: Mapping[str, pa.Table], seed: int) -> pa.Table:
        """Return `id, embedding, characters_cut`, one row per row.

        Raises:
            RetryLaterError: no answer after all tries; what is answered is kept in the run and not asked again.

        """
        from data_pipeline.attributes.embedding_client import open_client

        if self._run is None:
            raise StageFailedError("an endpoint's limits lie in a run", where=self.key, mend="posttrain attributes")
        answers = {"all": None, "prompt": False, "answer": True}[self.text]
        texts = rows.select(text=text_of(answers=answers))["text"].to_list()
        full = [number for number, text in enumerate(texts) if text.strip()]
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        with open_client(self, self._run) as client:
            if full:
                vectors[full] = client.embed([self.prefix + texts[number][: self.max_characters] for number in full])
        cut = [max(0, len(text) - self.max_characters) for text in texts]
        columns = [pa.array(rows["id"].to_list(), pa.string()), vector_column(vectors), pa.array(cut, pa.int64())]
        return pa.table(columns, names=["id", "embedding", "characters_cut"])

    def summary(self, table: pl.DataFrame) -> dict[str, Any]:
        """Return how many rows lost characters, and how many."""
        cut = table["characters_cut"]
        return {"characters_cut": int(cut.sum()), "rows_cut": int((cut > 0).sum())}
