"""LLaMA-Factory: JSONL files and the `dataset_info.json` that describes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from data_pipeline.exports.conversation import LossyError, conversation, document, sides
from utils.data.records import Message, Preference, Record
from utils.runs.config import StrictModel

_NAMES = {"system": "system", "user": "human", "assistant": "gpt"}
_ALPACA = {"prompt": "instruction", "query": "input", "system": "system", "history": "history"}


class LlamaFactory(StrictModel):
    """LLaMA-Factory's forms (its data/README.md): the run directory is a `dataset_dir`."""

    kind: Literal["llama-factory"] = "llama-factory"
    formatting: Literal["sharegpt", "alpaca", "documents"] = "sharegpt"
    """The form; `documents` is for pre-training and holds documents only."""

    def row(self, record: Record) -> dict[str, Any]:
        """Return a row for SFT, or for pre-training."""
        if self.formatting == "documents":
            return {"text": document(record.messages)}
        system, turns = conversation(record.messages, ends="assistant")
        if self.formatting == "alpaca":
            return {**_asked(system, turns[:-1]), "output": turns[-1].content}
        return {"conversations": _said(record.messages)}

    def pair(self, pair: Preference) -> dict[str, Any]:
        """Return a row of a ranking dataset."""
        if self.formatting == "documents":
            raise LossyError("not_a_document")
        system, turns = conversation(pair.prompt, ends="user")
        chosen, rejected = sides(pair)
        if self.formatting == "alpaca":
            return {**_asked(system, turns), "chosen": chosen, "rejected": rejected}
        better, worse = (_said(side)[0] for side in (pair.chosen, pair.rejected))
        return {"conversations": _said(pair.prompt), "chosen": better, "rejected": worse}

    def described(self, sets: Mapping[str, bool]) -> dict[str, Any]:
        """Return `dataset_info.json`, an entry per set."""
        return {"dataset_info.json": {name: self._entry(name, ranking=ranking) for name, ranking in sets.items()}}

    def _entry(self, name: str, *, ranking: bool) -> dict[str, Any]:
        file = {"file_name": f"{name}.jsonl"}
        if self.formatting == "documents":
            return {**file, "columns": {"prompt": "text"}}
        answers = {"chosen": "chosen", "rejected": "rejected"} if ranking else {}
        ranked = {"ranking": True} if ranking else {}
        if self.formatting == "alpaca":
            return {**file, **ranked, "columns": {**_ALPACA, **(answers or {"response": "output"})}}
        return {
            **file,
            "formatting": "sharegpt",
            **ranked,
            "columns": {"messages": "conversations", **answers},
            "tags": {
                "role_tag": "from",
                "content_tag": "value",
                "user_tag": "human",
                "assistant_tag": "gpt",
                "system_tag": "system",
            },
        }


def _asked(system: str | None, turns: Sequence[Message]) -> dict[str, Any]:
    """Return the prompt in alpaca's form: the turns before the last question are its history."""
    texts = [turn.content for turn in turns]
    history = [[texts[at], texts[at + 1]] for at in range(0, len(texts) - 1, 2)]
    return {"instruction": texts[-1], "input": "", "system": system or "", "history": history}


def _said(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"from": _NAMES[message.role], "value": message.content} for message in messages]
