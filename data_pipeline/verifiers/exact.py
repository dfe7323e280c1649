"""The answer is the reference, up to Unicode form and blanks."""

from __future__ import annotations

from typing import Literal

from data_pipeline.verifiers.normal import normal
from utils.runs.config import StrictModel


def verify(answer: str, reference: str) -> float:
    """Return 1.0 when both are the same text after NFKC and folding of blanks, else 0.0. Case counts.

    Raises:
        ValueError: the reference is blank.

    """
    if not (wanted := normal(reference)):
        raise ValueError("the reference is blank")
    return float(normal(answer) == wanted)


class Exact(StrictModel):
    """The whole answer equals the reference."""

    kind: Literal["exact"]

    def verify(self, answer: str, reference: str) -> float:
        """Return 0.0 or 1.0."""
        return verify(answer, reference)
