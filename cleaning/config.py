"""The knobs of a cleaning run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

import posttrain_root
from cleaning.duplicates.config import Duplicates
from cleaning.policy import find_policy, load_policy
from cleaning.rules import Rule
from utils.runs.config import ParallelConfig

_OURS = posttrain_root.ROOT / "cleaning"
SAMPLES = {"sample": _OURS / "sample", "sample_documents": _OURS / "sample_documents"}
"""What ships with us: dirty instructions and dirty pages, both by their short names."""


class CleanConfig(ParallelConfig):
    """Raw files → good/ bad/ quarantine/ ledger/ edits/, a report, a review sample."""

    input: Path | list[Path]
    """A file, a folder, a glob, or a list of them; the words `sample` and `sample_documents`
    are the small dirty samples shipped with us."""
    format: str | None = None
    """The rows' format, when their keys leave it open."""
    text_field: str | None = None
    """The column that is the text, for tables that are of no known format."""
    policy: list[Rule]
    """Rules in order: the name of a shipped policy, the path of a policy file, or the rules themselves."""
    duplicates: Duplicates = Duplicates()
    """What is done about duplicates."""
    partition_bytes: int = Field(default=16 << 20, ge=1 << 10)
    """About how much of an input file one task takes."""
    max_row_bytes: int = Field(default=64 << 20, ge=1 << 10)
    """Longer rows go to quarantine."""
    invalid_utf8: Literal["quarantine", "replace"] = "quarantine"
    """What happens to a row with bytes that are not UTF-8."""
    tokenizer: Path | None = None
    """A tokenizer.json or a model's folder for token statistics; by default the estimate of cleaning/tokens.py."""
    quarantine_limit: float = Field(default=0.01, ge=0, le=1)
    """Exit code 3 when a larger share of the rows cannot be read."""

    @field_validator("input", mode="before")
    @classmethod
    def _paths(cls, value: Any) -> Any:
        given = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str | Path) for one in given):
            raise ValueError(f"{str(value)[:60]} is no path, nor a list of paths")
        return SAMPLES.get(str(value), value)

    @field_validator("policy", mode="before")
    @classmethod
    def _named_policy(cls, value: Any) -> Any:
        return load_policy(find_policy(value)).rules if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _name(cls, data: Any) -> Any:
        """Name the run after the last part of the input's path."""
        if not isinstance(data, dict) or data.get("name") or not data.get("input"):
            return data
        first = data["input"][0] if isinstance(data["input"], list) else data["input"]
        return {**data, "name": re.sub(r"[^A-Za-z0-9._-]+", "_", Path(str(first)).resolve().name)[:128] or "input"}

    @property
    def dataset(self) -> str:
        """The name in `<name>-meta-info.json`, and the rows' source in the ledger."""
        return self.name or "input"
