"""The reference stands somewhere in the answer."""

from __future__ import annotations

import re
from typing import Literal

from data_pipeline.verifiers.normal import normal
from utils.runs.config import StrictModel

_WORD = "[A-Za-z0-9]"


def verify(answer: str, reference: str) -> float:
    """Return 1.0 when the reference stands in the answer as a whole word, else 0.0.

    "4" does not stand in "42". Chinese has no word borders: there any place counts.

    Raises:
        ValueError: the reference is blank.

    """
    if not (wanted := normal(reference)):
        raise ValueError("the reference is blank")
    before = f"(?<!{_WORD})" if re.match(_WORD, wanted[0]) else ""
    after = f"(?!{_WORD})" if re.match(_WORD, wanted[-1]) else ""
    return float(re.search(before + re.escape(wanted) + after, normal(answer)) is not None)


class Contains(StrictModel):
    """The reference stands in the answer."""

    kind: Literal["contains"]

    def verify(self, answer: str, reference: str) -> float:
        """Return 0.0 or 1.0."""
        return verify(answer, reference)
