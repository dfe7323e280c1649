"""ms-swift: its standard form, `messages`, with `rejected_response` for pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from data_pipeline.exports.conversation import conversation, document, sides
from utils.data.records import Preference, Record, to_dicts
from utils.runs.config import StrictModel


class MsSwift(StrictModel):
    """ms-swift's standard form (its docs, "Custom dataset"): the files go to `--dataset` as they are."""

    kind: Literal["ms-swift"] = "ms-swift"

    def row(self, record: Record) -> dict[str, Any]:
        """Return a row for SFT; a document is a lone assistant's turn, as ms-swift has it for pre-training."""
        if [message.role for message in record.messages] == ["document"]:
            return {"messages": [{"role": "assistant", "content": document(record.messages)}]}
        conversation(record.messages, ends="assistant")
        return {"messages": to_dicts(record.messages)}

    def pair(self, pair: Preference) -> dict[str, Any]:
        """Return a row for DPO and the like: the messages end with the chosen answer."""
        _, rejected = sides(pair)
        conversation(pair.prompt, ends="user")
        return {"messages": to_dicts([*pair.prompt, *pair.chosen]), "rejected_response": rejected}

    def described(self, sets: Mapping[str, bool]) -> dict[str, Any]:
        """Return no file: `--dataset FILE` is enough."""
        return {}
