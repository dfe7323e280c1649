"""What a format is, and the few pieces that formats are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from utils.data.records import Message

Row = dict[str, Any]
Path = tuple[str | int, ...]
Text = tuple[Path, str, str]  # path in the row, role, text
Turn = tuple[str, str]  # role, text
Messages = tuple[Message, ...]

_ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "document": "document",
}


class RowError(ValueError):
    """The row does not hold what its format promises; it goes to quarantine and the rest is read."""


def one_each(texts: list[Text]) -> list[Turn]:
    """Return one turn per text."""
    return [(role, text) for _, role, text in texts]


@dataclass(frozen=True, slots=True)
class Format:
    """How one shape of row holds its texts.

    Args:
        name: what `format:` in a config says.
        matches: tells by keys and shapes whether a row is of this format; never raises.
        texts: every text in the row as (path, role, text), in reading order; raises `RowError`.
        turns: the conversation that a row's texts make.
        preference: prompt, chosen and rejected messages, for formats of pairs; raises `RowError`.

    """

    name: str
    matches: Callable[[Row], bool]
    texts: Callable[[Row], list[Text]]
    turns: Callable[[list[Text]], list[Turn]] = one_each
    preference: Callable[[Row], tuple[Messages, Messages, Messages]] | None = None

    def messages(self, row: Row) -> Messages:
        """Return the conversation; raises `RowError`."""
        return tuple(Message(role, text) for role, text in self.turns(self.texts(row)))


def as_messages(texts: list[Text]) -> Messages:
    """Return one message per text."""
    return tuple(Message(role, text) for _, role, text in texts)


def replace(row: Row, texts: Mapping[Path, str]) -> Row:
    """Return the row with other texts at these paths; key order and all else untouched, `row` never changed.

    Raises:
        RowError: a path that the row does not have, or that holds no text.

    """
    changed: Any = dict(row)
    fresh: dict[Path, Any] = {(): changed}
    for path, text in texts.items():
        text_at(row, path)
        if len(path) == 1:
            changed[path[0]] = text
            continue
        node = changed
        for depth in range(1, len(path)):
            prefix = path[:depth]
            if prefix not in fresh:
                child = node[path[depth - 1]]
                fresh[prefix] = node[path[depth - 1]] = dict(child) if isinstance(child, dict) else list(child)
            node = fresh[prefix]
        node[path[-1]] = text
    return changed


def value_at(row: Row, path: Path) -> Any:
    """Return what lies at a path; raises `RowError` when the row has no such place."""
    value: Any = row
    for step in path:
        container = dict if isinstance(step, str) else list
        if not isinstance(value, container):
            raise RowError(f"no {spell(path)}: {type(value).__name__} where a {container.__name__} is expected")
        try:
            value = value[step]  # type: ignore[index]
        except (KeyError, IndexError):
            raise RowError(f"no {spell(path)} in the row") from None
    return value


def text_at(row: Row, path: Path) -> str:
    """Return the text at a path; raises `RowError` when it is absent, null or no text."""
    if len(path) == 1 and type(value := row.get(path[0])) is str:  # type: ignore[arg-type]
        return value
    value = value_at(row, path)
    if not isinstance(value, str):
        raise RowError(f"{spell(path)} is {'null' if value is None else type(value).__name__}, not a text")
    return value


def list_at(row: Row, path: Path) -> list[Any]:
    """Return the non-empty list at a path; raises `RowError` otherwise."""
    value = value_at(row, path)
    if not isinstance(value, list) or not value:
        raise RowError(f"{spell(path)} is {type(value).__name__ if value != [] else 'empty'}, not a list of turns")
    return value


def role_of(row: Row, path: Path) -> str:
    """Return our role for the name at a path (human, gpt, bot …, in any case); raises `RowError` for others."""
    name = text_at(row, path)
    try:
        return _ROLES[name.strip().lower()]
    except KeyError:
        raise RowError(f"{spell(path)} is {name[:40]!r}, not one of {', '.join(sorted(_ROLES))}") from None


def spoken(row: Row, path: Path, role_key: str = "role", text_key: str = "content") -> list[Text]:
    """Return the turns of a list of objects with a role and a text."""
    found: list[Text] = []
    for i, turn in enumerate(list_at(row, path)):
        place = (*path, i, text_key)
        name, text = (turn.get(role_key), turn.get(text_key)) if type(turn) is dict else (None, None)
        if type(name) is not str or type(text) is not str or (role := _ROLES.get(name)) is None:
            role, text = role_of(row, (*path, i, role_key)), text_at(row, place)
        found.append((place, role, text))
    return found


def alternating(row: Row, path: Path) -> list[Text]:
    """Return the turns of a list of texts: user, assistant and so on."""
    found: list[Text] = []
    for i, text in enumerate(list_at(row, path)):
        place = (*path, i)
        found.append((place, "assistant" if i % 2 else "user", text if type(text) is str else text_at(row, place)))
    return found


def turns(row: Row, path: Path, role: str) -> list[Text]:
    """Return the turns at a path that holds a text (of this role), a list of texts or a list of messages."""
    value = value_at(row, path)
    if not isinstance(value, list):
        return [(path, role, text_at(row, path))]
    if isinstance(list_at(row, path)[0], dict):
        return spoken(row, path)
    found = alternating(row, path)
    return found if role == "user" else [(place, role, text) for place, _, text in found[:1]] + _refuse_more(found)


def _refuse_more(found: list[Text]) -> list[Text]:
    if len(found) > 1:
        raise RowError(f"{spell(found[0][0][:-1])} holds {len(found)} texts where one answer is expected")
    return []


def instructed(row: Row, instruction: str, extra: str, answer: str) -> list[Text]:
    """Return instruction, further input (unless null or absent) and answer, all at top-level keys."""
    keys = [instruction, answer] if row.get(extra) is None else [instruction, extra, answer]
    return [((key,), "assistant" if key == answer else "user", text_at(row, (key,))) for key in keys]


def question_and_answer(texts: list[Text]) -> list[Turn]:
    """Return two turns: instruction and non-empty further input joined by a newline, and the last text."""
    (_, _, question), *extra, (_, _, answer) = texts
    question = "\n".join([question, *(text for _, _, text in extra if text)])
    return [("user", question), ("assistant", answer)]


def spell(path: Path) -> str:
    """Return a path as people write it: `data[3]`, `messages[0].content`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
