"""Where answers come from. A new kind is one file and one line here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from data_pipeline.candidates.kinds.local import Local
from data_pipeline.candidates.kinds.replay import Replay

CandidateModel = Annotated[
    Local
    | Replay,
    Field(discriminator="kind"),
]  # fmt: skip
"""Each has `input`, `open()` (a context with a `Pool`), `batch_size`, `policy` and `asks(prompts)`."""
