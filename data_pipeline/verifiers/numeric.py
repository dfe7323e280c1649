"""The last number of the answer is the number of the reference."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal

from data_pipeline.verifiers.normal import normal
from utils.runs.config import StrictModel

# A sign counts unless it stands behind a number, a letter or a bracket: there it is a minus between two.
NUMBER = re.compile(
    r"(?:(?<![A-Za-z0-9_.)\]])[-+])?"
    r"(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|(?<![0-9.])\.[0-9]+)"
    r"(?:[eE][-+]?[0-9]{1,3}(?![0-9]))?"
)


def last_number(text: str) -> Decimal | None:
    """Return the last number in a text, None when there is none. `1,234.50` and full-width digits are read."""
    found = NUMBER.findall(normal(text).replace("\N{MINUS SIGN}", "-"))
    return Decimal(found[-1].replace(",", "")) if found else None


def verify(answer: str, reference: str) -> float:
    """Return 1.0 when the last numbers of both are equal (3 = 3.0), else 0.0; an answer without one is wrong.

    Raises:
        ValueError: the reference holds no number.

    """
    wanted = last_number(reference)
    if wanted is None:
        raise ValueError("the reference holds no number")
    return float(last_number(answer) == wanted)


class Numeric(StrictModel):
    """The answer's last number equals the reference's."""

    kind: Literal["numeric"]

    def verify(self, answer: str, reference: str) -> float:
        """Return 0.0 or 1.0."""
        return verify(answer, reference)
