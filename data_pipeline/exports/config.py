"""The configs of `posttrain export` and `posttrain import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from data_pipeline.exports.kinds.llama_factory import LlamaFactory
from data_pipeline.exports.kinds.ms_swift import MsSwift
from data_pipeline.exports.kinds.trl import Trl
from data_pipeline.exports.licences import Licences
from utils.runs.config import RunConfig

# One line per file in kinds/; a test holds the two together.
Target = Annotated[
    LlamaFactory
    | MsSwift
    | Trl,
    Field(discriminator="kind"),
]  # fmt: skip


class ExportConfig(RunConfig):
    """`posttrain export`: rows and pairs of known licence → files that another trainer reads."""

    input: Path
    """A finished tier or pairs run, or any rows or pairs: a cleaning run, a file, a glob or a folder."""
    format: str | None = None
    """The rows' format, when their keys leave it open."""
    sets: list[str] | None = Field(default=None, min_length=1)
    """Which sets of a run, by name or glob (`tiers/*`, `seeds/round-1`); by default its tiers, or all there is."""
    to: Target
    """The trainer."""
    licences: Licences = Field(default_factory=dict)
    """Source, or a glob over sources, → SPDX identifier or `unknown`. What is not named is unknown: left out."""
    model_licences: Licences = Field(default_factory=dict)
    """Model, or a glob over models, → licence of its answers, for rows and pairs whose provenance names a model."""
    lossy: Literal["refuse", "drop"] = "refuse"
    """A row that the form cannot carry stops the export, or is left out and counted."""


class ImportConfig(RunConfig):
    """`posttrain import`: another trainer's files → rows and pairs in our formats, with ids."""

    input: Path
    """LLaMA-Factory's `dataset_info.json`, or a file or folder of ms-swift's rows."""
    kind: Literal["llama-factory", "ms-swift"] = "llama-factory"
    """Whose form it is. TRL's rows need no import: every stage reads them."""
    datasets: list[str] | None = Field(default=None, min_length=1)
    """Names in `dataset_info.json`; by default all."""
    quarantine_limit: float = Field(default=0.01, ge=0, le=1)
    """Share of rows that could not be read above which the exit code is 3."""

    @model_validator(mode="after")
    def _names_need_an_index(self) -> ImportConfig:
        if self.datasets is not None and self.kind != "llama-factory":
            raise ValueError("`datasets` are names in a dataset_info.json; ms-swift's rows have none")
        return self
