"""What a wrong config is told: one line with file, line, key, value and the nearest valid name."""

from __future__ import annotations

import types
from typing import Any, Literal, get_args, get_origin

import pydantic
from pydantic import BaseModel

from utils.errors import UserError, nearest

Loc = tuple[str | int, ...]
_LONGEST_VALUE = 60


def explain(model: type[BaseModel], error: pydantic.ValidationError, where: str, lines: dict[Loc, str]) -> UserError:
    """Turn pydantic's complaints into one line about the first.

    Args:
        model: the config model.
        error: what pydantic found.
        where: what to name when a key has no line of its own.
        lines: where each key stands, `file:line`.

    """
    errors = error.errors(include_url=False)
    first = errors[0]
    loc, section = walk(model, tuple(first["loc"]))
    key = ".".join(map(str, loc))
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    place = _line_of(loc, lines) or where
    if first["type"] == "extra_forbidden":
        return UserError(f"unknown key {key!r}{more}", where=place, mend=nearest(str(loc[-1]), section))
    if first["type"] == "missing":
        return UserError(f"the key {key!r} is missing{more}", where=place, mend=f"add it, or --set {key}=…")
    if first["type"] == "union_tag_invalid":
        tags = [tag.strip(" '") for tag in first["ctx"]["expected_tags"].split(",")]
        key, tag = f"{key}.{first['ctx']['discriminator'].strip(chr(39))}", first["ctx"]["tag"]
        what = f"{key}: no {tag!r}; there are {', '.join(tags)}{more}"
        return UserError(what, where=place, mend=nearest(tag, tags))
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":  # a validator of ours: it has named the value where that helps
        return UserError(f"{key}: {message}{more}" if key else message + more, where=place)
    return UserError(f"{key}: {message}, not {_shown(first['input'])}{more}", where=place)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "…"


def _line_of(loc: Loc, lines: dict[Loc, str]) -> str | None:
    while loc and loc not in lines:
        loc = loc[:-1]
    return lines.get(loc)


def walk(model: type[BaseModel], loc: Loc) -> tuple[Loc, list[str]]:
    """Follow pydantic's path to an error through the models.

    Returns:
        The path as the user wrote it (pydantic puts the tag of a union after the key that holds it; that is no key of
        the user's), and the valid keys of the section that the last key stands in.

    """
    keys: list[str | int] = []
    here: list[type[BaseModel]] = [model]
    section, may_be_tag = here, False
    for part in loc:
        tagged = [kind for kind in here if part in _tags(kind)]
        if may_be_tag and tagged:
            here, may_be_tag = tagged, False
            continue
        keys.append(part)
        section = here
        if not isinstance(part, int):
            here = [inner for kind in here for inner in _models_below(kind, str(part))]
        may_be_tag = True
    return tuple(keys), sorted({name for kind in section for name in _names(kind)})


def _names(kind: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in kind.model_fields.items()]


def _tags(kind: type[BaseModel]) -> set[Any]:
    literals = [f.annotation for f in kind.model_fields.values() if get_origin(f.annotation) is Literal]
    return {value for literal in literals if len(get_args(literal)) == 1 for value in get_args(literal)}


def _models_below(kind: type[BaseModel], key: str) -> list[type[BaseModel]]:
    return [m for name, f in kind.model_fields.items() if key in (name, f.alias) for m in _models_in(f.annotation)]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return every model class inside a type such as `list[Annotated[A | B, …]] | None`."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return [annotation] if issubclass(annotation, BaseModel) else []
    if get_origin(annotation) is Literal:
        return []
    return [model for inner in get_args(annotation) for model in _models_in(inner)]
