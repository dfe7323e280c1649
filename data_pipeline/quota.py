"""The quota file that a card writes: what a taxonomy lacks, for `posttrain tier` and `posttrain self-instruct`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from data_pipeline.attributes.taxonomy.tree import Taxonomy
from data_pipeline.tier.choices import Quota
from utils.runs.config import StrictModel, validated
from utils.runs.config_file import read_yaml


class QuotaFile(StrictModel):
    """A `quota.yaml`."""

    quotas: tuple[Quota, ...] = Field(min_length=1)
    """As `posttrain tier` takes them."""
    taxonomy: Taxonomy | None = None
    """The tree that the quotas' nodes are of."""


def quota_file(given: Any) -> Any:
    """Put a file's content in the place of its name: it is part of the run's key."""
    if not isinstance(given, str | Path):
        return given
    found, lines = read_yaml(Path(given))
    return validated(QuotaFile, found, where=str(given), lines=lines)


def quotas_of(given: Any) -> Any:
    """Return the quotas of a file in the place of its name."""
    return quota_file(given).quotas if isinstance(given, str | Path) else given
