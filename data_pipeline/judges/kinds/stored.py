"""Preferences that lie in a file already, replayed: of a model's answer against a baseline's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from data_pipeline.judges.kinds.verdict import Candidate, Judge, Verdict
from data_pipeline.stored import stored_rows
from utils.runs.config import StrictModel

Stored = dict[tuple[str, str, str], Any]  # (prompt's name in the file, model, answer) → preference


class StoredJudge(StrictModel):
    """Score = (preference − low) / (high − low): 0 when the baseline is surely better, 1 when the model is."""

    kind: Literal["stored"]
    file: Path
    """Parquet, JSONL or JSON: one row per judged answer."""
    key_field: str = "prompt_id"
    """The column that names the prompt, as the replayed answers know it."""
    model_field: str = "generator"
    """The column with the model's name."""
    text_field: str = "output"
    """The column with the answer: a preference counts for this very text only."""
    preference_field: str = "preference"
    """The column with the preference."""
    low: float = 1.0
    """The preference that means: the baseline is better."""
    high: float = Field(default=2.0)
    """The preference that means: the model is better."""

    @model_validator(mode="after")
    def _scale(self) -> StoredJudge:
        if not self.low < self.high:
            raise ValueError("low must be below high")
        return self

    @property
    def label(self) -> str:
        """The judge's name in the table."""
        return f"stored/{self.file.stem}"

    @property
    def inputs(self) -> list[Path]:
        """Files that the judge reads beside the candidates."""
        return [self.file]

    @contextmanager
    def open(self) -> Iterator[Judge]:
        """Read the file."""
        fields = [self.key_field, self.model_field, self.text_field, self.preference_field]
        stored = {
            (str(row[self.key_field]), str(row[self.model_field]), str(row[self.text_field])): row[
                self.preference_field
            ]
            for row in stored_rows(self.file, fields)
        }
        yield _Opened(self, stored)

    def score(self, preference: Any) -> Verdict:
        """Return the verdict that a stored preference stands for."""
        if isinstance(preference, bool) or not isinstance(preference, int | float):
            return Verdict(None, f"the stored preference is no number: {preference!r}")
        if not self.low <= preference <= self.high:
            return Verdict(None, f"the stored preference {preference} is not in {self.low}..{self.high}")
        return Verdict((preference - self.low) / (self.high - self.low))


@dataclass(frozen=True, slots=True)
class _Opened:
    config: StoredJudge
    stored: Stored

    def judge(self, candidates: Sequence[Candidate]) -> list[Verdict]:
        """Look every answer up."""
        return [self._verdict(candidate) for candidate in candidates]

    def _verdict(self, candidate: Candidate) -> Verdict:
        if candidate["stored_key"] is None:
            return Verdict(None, "not a replayed answer")
        key = (candidate["stored_key"], candidate["model"], candidate["text"])
        return self.config.score(self.stored[key]) if key in self.stored else Verdict(None, "no stored preference")
