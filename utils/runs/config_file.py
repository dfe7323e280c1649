"""Config files: YAML read safely, within bounds, with the line of every key (S4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from utils.errors import UserError, nearest
from utils.runs.config_errors import Loc

MAX_BYTES = 1 << 20
MAX_DEPTH = 24
MAX_NODES = 100_000


class PlainLoader(yaml.SafeLoader):
    """YAML's safe subset without dates: `2024-01-01` is a name like any other."""


PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(path: Path) -> tuple[dict[str, Any], dict[Loc, str]]:
    """Return the mapping in a YAML file and `file:line` of every key in it. Safe load, bounded (S4)."""
    text = _config_text(path)
    try:
        node = yaml.compose(text, Loader=PlainLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise UserError(f"not YAML: {getattr(error, 'problem', None) or error}", where=where) from error
    except RecursionError as error:
        raise UserError("nested too deep", where=str(path)) from error
    lines: dict[Loc, str] = {}
    data = _plain(node, (), path, lines, budget=[MAX_NODES]) if node is not None else {}
    if not isinstance(data, dict):
        raise UserError("a config is a mapping of keys to values", where=str(path))
    return data, lines


def parse_value(text: str) -> Any:
    """Return the value that a piece of YAML means, within the same bounds as a file.

    Raises:
        yaml.YAMLError, ValueError, RecursionError, UserError: it means none.

    """
    node = yaml.compose(text, Loader=PlainLoader)
    return None if node is None else _plain(node, (), Path("--set"), {}, budget=[MAX_NODES])


def merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return `under` with the keys of `over` laid on it, section by section.

    Lists are replaced whole, and so is a section whose `kind` is another one: its keys would not fit.
    """
    result = dict(under)
    for key, value in over.items():
        below: Any = result.get(key)
        both = isinstance(value, dict) and isinstance(below, dict)
        joined = both and value.get("kind", below.get("kind")) == below.get("kind")
        result[key] = merged(below, value) if joined else value
    return result


def _config_text(path: Path) -> str:
    if not path.is_file():
        mend = nearest(path.name, (p.name for p in path.parent.glob("*.yaml"))) or "give the path of a YAML file"
        raise UserError("no such config file", where=str(path), mend=mend)
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"a config of more than {MAX_BYTES} bytes", where=str(path))
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"not UTF-8: byte {error.start}", where=str(path)) from error


def _plain(node: yaml.Node, loc: Loc, path: Path, lines: dict[Loc, str], budget: list[int]) -> Any:
    """Build plain values from a YAML node, keeping line numbers, refusing depth, bulk and repeated keys."""
    where = f"{path}:{node.start_mark.line + 1}"
    lines[loc] = where
    budget[0] -= 1
    if len(loc) > MAX_DEPTH or budget[0] < 0:
        raise UserError("nested too deep or too large", where=where)
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in mapping:
                raise UserError(f"the key {key!r} stands twice", where=f"{path}:{key_node.start_mark.line + 1}")
            mapping[key] = _plain(value_node, (*loc, key), path, lines, budget)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, (*loc, index), path, lines, budget) for index, child in enumerate(node.value)]
    return _scalar(node, where)


def _scalar(node: yaml.Node, where: str) -> Any:
    try:
        return yaml.constructor.SafeConstructor().construct_object(node)
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"cannot read the value {node.value!r}", where=where) from error
