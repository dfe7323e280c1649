"""Checks of an answer against a reference: no model, no network. A new one is one file and one line here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from data_pipeline.verifiers.contains import Contains
from data_pipeline.verifiers.exact import Exact
from data_pipeline.verifiers.numeric import Numeric

Verifier = Annotated[
    Exact
    | Numeric
    | Contains,
    Field(discriminator="kind"),
]  # fmt: skip
"""Each has `verify(answer, reference) -> float` in 0..1, and raises ValueError when the reference cannot be used."""
