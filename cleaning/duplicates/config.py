"""The knobs of the search for duplicates."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from utils.runs.config import StrictModel


class BestField(StrictModel):
    """Of a cluster, the row with the largest number in a field of its own survives."""

    field: str
    """The row's key, at its top level; a row without a number there comes last."""


class Near(StrictModel):
    """Near duplicates: found by MinHash, verified by exact Jaccard of their shingles."""

    threshold: float = Field(default=0.7, gt=0, le=1)
    """The least Jaccard similarity of two texts' shingles that makes them duplicates."""
    size: int = Field(default=5, ge=1)
    """Characters in a shingle."""
    word_size: int = Field(default=3, ge=1)
    """Words in a shingle, where `unit: script` takes words."""
    unit: Literal["script", "character"] = "script"
    """`character`: n-grams of characters everywhere; `script`: of words in scripts that set blanks between them."""
    permutations: int = Field(default=128, ge=1)
    """Numbers in a signature."""
    bands: int = Field(default=21, ge=1)
    """Bands of a signature; two rows with an equal one are compared."""
    rows: int = Field(default=6, ge=1)
    """Numbers in a band: with 21 bands of 6, 99.8 % of the pairs at Jaccard 0.8 share one, 92.8 % of those at 0.7."""
    seed: int = 1
    """Of the permutations."""
    survivor: Literal["longest", "first"] | BestField = "longest"
    """Which row of a cluster stays: the longest text, the first, or `{field: NAME}`; ties go to the first."""
    bucket_rows: int = Field(default=1000, ge=2)
    """In a larger bucket rows are compared with its representatives instead of all with all."""

    @model_validator(mode="after")
    def _fits(self) -> Near:
        if self.bands * self.rows > self.permutations:
            needed = self.bands * self.rows
            raise ValueError(f"{self.bands} bands of {self.rows} rows need {needed} permutations")
        return self


class Reference(StrictModel):
    """Texts that may not be in the output, such as the prompts of an evaluation: rows that hold one are dropped."""

    files: list[Path] = Field(min_length=1)
    """Files, folders or globs of any format that is read; of a conversation the user's turns count."""
    text_field: str | None = None
    """The column that is the text, for tables and prompt files that are of no known format."""
    threshold: float = Field(default=0.7, gt=0, le=1)
    """The least Jaccard similarity of a row's prompt (or document) and a reference."""
    containment: float = Field(default=0.9, gt=0, le=1)
    """The least share of a reference's shingles that lies in one place of the text."""


class Duplicates(StrictModel):
    """Which duplicates are dropped."""

    exact: bool = True
    """Rows whose texts are equal, but for what `normalise` folds, to those of an earlier row."""
    normalise: bool = True
    """Compare texts after NFC (one way to encode accents) and with one blank for each run of them; false: as given."""
    near: Near | None = None
    """Near duplicates; null does not look for them."""
    reference: Reference | None = None
    """Sets of texts that may not be in the output (decontamination)."""
    earlier: list[Path] = Field(default_factory=list)
    """Finished cleaning runs with the same settings: rows that repeat what they kept are dropped here."""
    memory_budget: int = Field(default=2 << 30, ge=16 << 20)
    """Bytes that one task of the search may hold, apart from 16 per row."""

    @model_validator(mode="after")
    def _possible(self) -> Duplicates:
        if self.near and not self.exact:
            raise ValueError("near duplicates are looked for among rows that differ: leave `exact` on, or near null")
        if self.earlier and not self.exact:
            raise ValueError("`earlier` needs `exact`")
        return self

    def signature_settings(self) -> dict[str, Any]:
        """Return what decides hashes and signatures: equal in runs that can be compared."""
        near = {} if self.near is None else self.near.model_dump(exclude={"threshold", "survivor", "bucket_rows"})
        return {"normalise": self.normalise, "near": near}
