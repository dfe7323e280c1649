"""TRL: `messages`; pairs as `prompt`, `chosen`, `rejected`; documents as `text`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from data_pipeline.exports.conversation import LossyError
from utils.data.records import Preference, Record, to_dicts
from utils.runs.config import StrictModel


class Trl(StrictModel):
    """TRL's conversational forms (its docs, "Dataset formats and types"): roles in any order."""

    kind: Literal["trl"] = "trl"

    def row(self, record: Record) -> dict[str, Any]:
        """Return a row of language modelling."""
        if [message.role for message in record.messages] == ["document"]:
            return {"text": record.messages[0].content}
        if any(message.role == "document" for message in record.messages):
            raise LossyError("document")
        if not record.messages or record.messages[-1].role != "assistant":
            raise LossyError("no_answer")
        return {"messages": to_dicts(record.messages)}

    def pair(self, pair: Preference) -> dict[str, Any]:
        """Return a row of preference."""
        if any(message.role == "document" for message in pair.prompt):
            raise LossyError("document")
        return {
            "prompt": to_dicts(pair.prompt),
            "chosen": to_dicts(pair.chosen),
            "rejected": to_dicts(pair.rejected),
        }

    def described(self, sets: Mapping[str, bool]) -> dict[str, Any]:
        """Return no file: a JSONL file is a dataset."""
        return {}
