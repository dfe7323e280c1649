"""Who judges. A new kind is one file and one line here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from data_pipeline.judges.kinds.stored import StoredJudge
from data_pipeline.judges.kinds.verifier import VerifierJudge

JudgeKind = Annotated[
    VerifierJudge
    | StoredJudge,
    Field(discriminator="kind"),
]  # fmt: skip
"""Each has `label`, `inputs` and `open()` (a context with a `Judge`)."""
