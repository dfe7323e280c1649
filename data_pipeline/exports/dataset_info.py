"""LLaMA-Factory's `dataset_info.json`: which file holds what in which columns, and a row of such a file as messages.

What a row means is what LLaMA-Factory makes of it (its data/README.md and converter): non-empty `prompt` and `query`
joined by a newline, `history` before them, the system prompt from its column or from the first message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from utils.data.formats import RowError
from utils.data.records import Message
from utils.errors import UserError, nearest

Sides = tuple[tuple[Message, ...], tuple[Message, ...], tuple[Message, ...]]

_HUBS = ("hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name")
_KEYS = {"file_name", "formatting", "ranking", "columns", "tags"}
_TEXT_COLUMNS = {"prompt", "query", "response", "history", "messages", "system", "chosen", "rejected"}
_ALPACA_DEFAULTS = {"prompt": "instruction", "query": "input", "response": "output"}
_TAGS = {
    "role_tag": "from",
    "content_tag": "value",
    "user_tag": "human",
    "assistant_tag": "gpt",
    "observation_tag": "observation",
    "function_tag": "function_call",
    "system_tag": "system",
}


class Dataset:
    """One entry of a `dataset_info.json`.

    Args:
        name: the entry's name.
        entry: what stands under it.
        folder: the folder of the `dataset_info.json`, which `file_name` is relative to.

    Raises:
        UserError: it is on a hub, or has what no format of ours can hold; the message names it.

    """

    def __init__(self, name: str, entry: Mapping[str, Any], folder: Path) -> None:
        self.name = name
        self.where = f"{folder / 'dataset_info.json'}, {name}"
        self._refuse(entry)
        self.file = folder / entry["file_name"]
        self.ranking = bool(entry.get("ranking"))
        self.formatting = entry.get("formatting", "alpaca")
        columns = entry.get("columns")
        # As LLaMA-Factory reads it: `columns`, once given, replace the defaults altogether.
        defaults = _ALPACA_DEFAULTS if self.formatting == "alpaca" else {"messages": "conversations"}
        self.columns = dict(defaults if columns is None else columns)
        if self.formatting == "sharegpt":
            self.columns.setdefault("messages", "conversations")
        self.tags = {**_TAGS, **(entry.get("tags") or {})}
        self._require()

    def _refuse(self, entry: Mapping[str, Any]) -> None:
        if not isinstance(entry, Mapping):
            raise UserError("not an object with file_name and columns", where=self.where)
        if hubs := [key for key in _HUBS if entry.get(key)]:
            mend = "fetch the files and give `file_name`: nothing is downloaded here"
            raise UserError(f"{hubs[0]} {entry[hubs[0]]!r} is not a file", where=self.where, mend=mend)
        if other := sorted(key for key in set(entry) - _KEYS if entry[key] is not None and key not in _HUBS):
            mend = "take it out of the entry, if nothing is lost by that"
            raise UserError(f"the key {other[0]!r} has no counterpart here", where=self.where, mend=mend)
        if not isinstance(entry.get("file_name"), str):
            raise UserError("no file_name", where=self.where)
        if entry.get("formatting", "alpaca") not in ("alpaca", "sharegpt"):
            raise UserError(f"formatting {entry['formatting']!r} is neither alpaca nor sharegpt", where=self.where)
        for key in ("columns", "tags"):
            texts = (entry.get(key) or {}).values() if isinstance(entry.get(key) or {}, Mapping) else [None]
            if not all(isinstance(value, str) for value in texts):
                raise UserError(f"{key} is no object of texts", where=self.where)
        if other := sorted(set(entry.get("columns") or {}) - _TEXT_COLUMNS):
            what = f"the column {other[0]!r} (images, tools, KTO marks and the like) has no counterpart here"
            raise UserError(what, where=self.where, mend="import the datasets that are text, with `datasets`")
        if other := sorted(set(entry.get("tags") or {}) - set(_TAGS)):
            raise UserError(f"unknown tag {other[0]!r}", where=self.where, mend=nearest(other[0], _TAGS))

    def _require(self) -> None:
        """Refuse an entry that does not say where the texts are."""
        wanted = ["messages" if self.formatting == "sharegpt" else "prompt"]
        wanted += ["chosen", "rejected"] if self.ranking else []
        if missing := [name for name in wanted if name not in self.columns]:
            raise UserError(f"columns say nothing of {missing[0]!r}", where=self.where)

    def messages(self, row: Mapping[str, Any]) -> tuple[Message, ...]:
        """Return the conversation or document in a row; raises `RowError`."""
        if self.formatting == "sharegpt":
            return tuple(self._spoken(row))
        if "response" not in self.columns:  # for pre-training, where nothing but the prompt is learnt from
            return (Message("document", _text(row, self.columns["prompt"])),)
        return (*self._asked(row), Message("assistant", _text(row, self.columns["response"])))

    def pair(self, row: Mapping[str, Any]) -> Sides:
        """Return prompt, chosen and rejected of a row of a ranking dataset; raises `RowError`."""
        if self.formatting == "sharegpt":
            chosen, rejected = (self._turn(row.get(self.columns[key])) for key in ("chosen", "rejected"))
            return tuple(self._spoken(row)), (chosen,), (rejected,)
        better, worse = (Message("assistant", _text(row, self.columns[key])) for key in ("chosen", "rejected"))
        return tuple(self._asked(row)), (better,), (worse,)

    def _asked(self, row: Mapping[str, Any]) -> list[Message]:
        """Return system, history and question of a row in alpaca's form."""
        found = self._system(row)
        for turn in row.get(self.columns.get("history", "")) or []:
            if not (isinstance(turn, list) and len(turn) == 2 and all(isinstance(text, str) for text in turn)):
                raise RowError("history is no list of [question, answer]")
            found += [Message("user", turn[0]), Message("assistant", turn[1])]
        texts = [_text(row, self.columns["prompt"])]
        if (query := self.columns.get("query")) is not None and row.get(query) is not None:
            texts.append(_text(row, query))
        return [*found, Message("user", "\n".join(text for text in texts if text))]

    def _spoken(self, row: Mapping[str, Any]) -> list[Message]:
        """Return the turns of a row in sharegpt's form; they alternate, as LLaMA-Factory demands."""
        listed = row.get(self.columns["messages"])
        if not isinstance(listed, list) or not listed:
            raise RowError(f"{self.columns['messages']} is no list of turns")
        turns = [self._turn(turn) for turn in listed]
        system = [] if turns[0].role == "system" else self._system(row)
        spoken = turns[1:] if turns[0].role == "system" else turns
        if any(turn.role != ("assistant" if at % 2 else "user") for at, turn in enumerate(spoken)):
            raise RowError("turns do not alternate between user and assistant")
        if len(spoken) % 2 != self.ranking:
            raise RowError("no answer at the end" if not self.ranking else "the prompt ends with the assistant")
        return [*system, *turns]

    def _turn(self, turn: Any) -> Message:
        roles = {self.tags[f"{role}_tag"]: role for role in ("user", "assistant", "system")}
        if not isinstance(turn, Mapping):
            raise RowError("a turn is no object")
        name, text = turn.get(self.tags["role_tag"]), turn.get(self.tags["content_tag"])
        if name in (self.tags["observation_tag"], self.tags["function_tag"]):
            raise RowError(f"a turn by {name!r}: tools have no counterpart here")
        if name not in roles:
            raise RowError(f"a turn by {str(name)[:40]!r}: the tags know {', '.join(roles)}")
        if not isinstance(text, str):
            raise RowError(f"{self.tags['content_tag']} is {type(text).__name__}, not a text")
        return Message(roles[name], text)

    def _system(self, row: Mapping[str, Any]) -> list[Message]:
        text = row.get(self.columns.get("system", "")) or ""
        if not isinstance(text, str):
            raise RowError("the system prompt is no text")
        return [Message("system", text)] if text else []


def read_dataset_info(path: Path, names: list[str] | None) -> list[Dataset]:
    """Return the named datasets of a `dataset_info.json`, or all.

    Raises:
        UserError: it is no such file, a name is not in it, or an entry cannot be read.

    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"not a dataset_info.json: {error}", where=str(path)) from error
    if not isinstance(found, dict) or not found:
        raise UserError("not an object of datasets by name", where=str(path))
    for name in names or ():
        if name not in found:
            mend = nearest(name, found) or f"there are {', '.join(list(found)[:10])}"
            raise UserError(f"no dataset {name!r}", where=str(path), mend=mend)
    return [Dataset(name, found[name], path.parent) for name in names or found]


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise RowError(f"{key} is {'absent' if value is None else type(value).__name__}, not a text")
    return value
