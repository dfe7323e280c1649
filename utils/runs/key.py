"""What decides a run's result, and how two such differ (F23)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.runs.config import RunConfig, decisive
from utils.runs.manifest import code_files, digest, fingerprint

_LONGEST_VALUE = 60
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Key:
    """What decides a run's result: two runs with the same key have the same content."""

    config: dict[str, Any]
    inputs: list[dict[str, Any]]
    code: dict[str, str]

    @property
    def hash(self) -> str:
        """Return the key's hash: config, contents of the inputs, code."""
        return digest([self.config, [_content(entry) for entry in self.inputs], self.code])

    def differences(self, stored: dict[str, Any]) -> list[str]:
        """Say in words how this key differs from a stored one, a phrase for each key that changed."""
        found = [f"config {change}" for change in _changes(stored["config"], self.config)]
        if self.other_inputs(stored):
            now, then = (Counter(map(_content, inputs)) for inputs in (self.inputs, stored["inputs"]))
            entries = [*self.inputs, *stored["inputs"]]
            odd = {entry["path"] for entry in entries if now[_content(entry)] != then[_content(entry)]}
            found += [f"input {path}" for path in sorted(odd)]
        code = {*self.code, *stored["code"]}
        return found + [f"code {name}" for name in sorted(code) if self.code.get(name) != stored["code"].get(name)]

    def other_inputs(self, stored: dict[str, Any]) -> bool:
        """Tell whether the inputs differ from those of a stored key, wherever they lie."""
        return sorted(map(_content, self.inputs)) != sorted(map(_content, stored["inputs"]))


def _content(entry: dict[str, Any]) -> tuple[str, str]:
    """Return what counts of an input: its content, and a file's name, which the ledger repeats; never where it lies."""
    return entry["sha256"], "" if entry.get("directory") else Path(entry["path"]).name


def make_key(config: RunConfig, paths: list[Path], module: str) -> Key:
    """Return the key of a run of `module` with this config over these inputs."""
    return Key(decisive(config), [fingerprint(path) for path in paths], code_files(module))


def _changes(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Give `a.b: old → new` of every plain value that differs between two trees of them."""
    before, after = _by_name(old), _by_name(new)
    if before is None or after is None:
        yield f"{path}: {_shown(old)} → {_shown(new)}"
        return
    names = [name for name in {**before, **after} if before.get(name, _ABSENT) != after.get(name, _ABSENT)]
    for name in names:
        yield from _changes(before.get(name, _ABSENT), after.get(name, _ABSENT), f"{path}.{name}" if path else name)
    if not names and old != new:
        yield f"{path}: in another order"


def _by_name(value: Any) -> dict[str, Any] | None:
    """Return the parts of a tree by name; None when it has none.

    A list's sections go by their own `name` or `rule` where each has another, all other elements by their number.
    """
    if isinstance(value, dict):
        return value
    if not isinstance(value, list):
        return None
    sections = [item if isinstance(item, dict) else {} for item in value]
    names = [item.get("name") or item.get("rule") for item in sections]
    clear = None not in names and len(set(names)) == len(names)
    return {str(names[at] if clear else at): item for at, item in enumerate(value)}


def _shown(value: Any) -> str:
    text = "nothing" if value is _ABSENT else repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
