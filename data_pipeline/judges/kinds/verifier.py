"""A check of every answer against the seed's own reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from data_pipeline.judges.kinds.verdict import Candidate, Judge, Verdict
from data_pipeline.verifiers import Verifier
from utils.runs.config import StrictModel


class VerifierJudge(StrictModel):
    """Score = what the verifier says, 0..1."""

    kind: Literal["verifier"]
    verifier: Verifier
    """Which check."""

    @property
    def label(self) -> str:
        """The judge's name in the table."""
        return f"verifier/{self.verifier.kind}"

    @property
    def inputs(self) -> list[Path]:
        """Files that the judge reads beside the candidates."""
        return []

    @contextmanager
    def open(self) -> Iterator[Judge]:
        """Return the judge."""
        yield _Opened(self.verifier)


@dataclass(frozen=True, slots=True)
class _Opened:
    verifier: Verifier

    def judge(self, candidates: Sequence[Candidate]) -> list[Verdict]:
        """Check every answer."""
        return [self._verdict(candidate) for candidate in candidates]

    def _verdict(self, candidate: Candidate) -> Verdict:
        if candidate["reference"] is None:
            return Verdict(None, "the seed has no reference")
        try:
            return Verdict(self.verifier.verify(candidate["text"], candidate["reference"]))
        except ValueError as error:
            return Verdict(None, str(error))
