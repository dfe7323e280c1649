"""Configs: YAML in, a frozen pydantic model out, or one line that says file, line, key and the nearest name."""

from __future__ import annotations

import itertools
import json
import os
import typing
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import pydantic
import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from utils.errors import UserError
from utils.runs.commit import SAFE_NAME
from utils.runs.config_errors import Loc, explain
from utils.runs.config_file import parse_value, read_yaml
from utils.runs.logs import redact

ConfigT = TypeVar("ConfigT", bound=BaseModel)


def _safe_name(value: str) -> str:
    if not SAFE_NAME.fullmatch(value) or value in {".", ".."}:
        raise ValueError(f"{value!r} is not a name: 1–128 of A–Z a–z 0–9 . _ -")
    return value


Name = Annotated[str, AfterValidator(_safe_name)]


class StrictModel(BaseModel):
    """A section of a config: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
    placement: ClassVar[frozenset[str]] = frozenset()
    """Keys that decide where, how fast or how dear, never what: changing them does not make another run of it."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        from utils.runs.config_schema import describe  # only a schema asks

        schema = handler(core)
        describe(cls, handler.resolve_ref_schema(schema))
        return schema


class Resources(StrictModel):
    """What one task of a step needs."""

    cpus: int = Field(default=1, ge=1)
    """Processor cores, and the thread count of every library in the task."""
    gpus: float = Field(default=0, ge=0)
    """GPUs; two steps never share a device."""
    memory_gib: float | None = Field(default=None, gt=0)
    """Memory to reserve on a Ray cluster."""
    hosts: int = Field(default=1, ge=1)
    """Machines a training step spans."""


class RunConfig(StrictModel):
    """Keys that every run has."""

    placement: ClassVar[frozenset[str]] = frozenset(
        {"output", "executor", "workers", "ray_address", "resources", "attempts"}
    )

    name: Name | None = None
    """The run's name; by default the last part of the input's path."""
    output: Path
    """The run directory: made when missing, resumed when unfinished."""
    seed: int = 42
    """Every random choice derives from it."""


class ParallelConfig(RunConfig):
    """Keys of a run that maps tasks over workers."""

    executor: Literal["local", "ray"] = "ray"
    """Where tasks run: spawned processes here, or Ray."""
    workers: int | None = Field(default=None, ge=1)
    """Tasks at a time; by default as many as the cores allow."""
    ray_address: str | None = None
    """A running cluster (`auto` or host:port); by default Ray starts here and stops with the run."""
    resources: Resources = Resources()
    """What one task needs."""
    attempts: int = Field(default=3, ge=1)
    """Tries of a task before the run gives up on it."""


class SecretRef(BaseModel):
    """A secret by reference: `env:NAME` or `file:PATH`. The value is read when used and never stored."""

    model_config = ConfigDict(frozen=True)
    reference: str

    @pydantic.model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            if not value.startswith(("env:", "file:")):
                raise ValueError("a secret is given as env:NAME or file:PATH, never by value")
            return {"reference": value}
        return value

    def reveal(self) -> str:
        """Return the secret itself.

        Raises:
            UserError: the variable or file is missing.

        """
        kind, _, name = self.reference.partition(":")
        try:
            return os.environ[name] if kind == "env" else Path(name).read_text(encoding="utf-8").strip()
        except (KeyError, OSError) as error:
            raise UserError(f"no secret at {self.reference}", mend=f"set it, for example: export {name}=…") from error


def load_config(model: type[ConfigT], path: Path | None, overrides: typing.Sequence[str] = ()) -> ConfigT:
    """Read a YAML file, apply `a.b=value` overrides, validate.

    Raises:
        UserError: with file, line, key and the nearest valid name.

    """
    data, lines = read_yaml(path) if path else ({}, {})
    for override in overrides:
        loc = _apply_override(data, override)
        lines[loc] = f"--set {override.partition('=')[0]}"
    _refuse_secrets(data, lines, ())
    return validated(model, data, where=str(path) if path else "config", lines=lines)


def _refuse_secrets(value: Any, lines: dict[Loc, str], loc: Loc) -> None:
    """Refuse a secret by value: a config is written into the run directory, whole, to be resumed from (S9)."""
    if isinstance(value, str) and redact(value) != value:
        key = ".".join(map(str, loc))
        raise UserError(f"{key} holds a secret", where=lines.get(loc), mend="give it as env:NAME or file:PATH")
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, inner in items:
        _refuse_secrets(inner, lines, (*loc, part))


def validated(
    model: type[ConfigT], data: dict[str, Any], *, where: str, lines: dict[Loc, str] | None = None
) -> ConfigT:
    """Return the config that plain values make.

    Args:
        model: the config model.
        data: keys and values.
        where: what to name when a key has no line of its own.
        lines: where each key stands, `file:line`.

    Raises:
        UserError: with the key and the nearest valid name.

    """
    try:
        return model.model_validate(data)
    except pydantic.ValidationError as error:
        raise explain(model, error, where, lines or {}) from error


def _apply_override(data: dict[str, Any], override: str) -> Loc:
    """Set `a.b.0.c=value` in place; the value is read as YAML, or taken as text where it is none. Return the path."""
    dotted, equals, text = override.partition("=")
    if not equals or not dotted:
        raise UserError(f"--set {override!r} is not KEY=VALUE", mend="for example --set seed=1")
    try:
        value = parse_value(text)
    except yaml.YAMLError:  # `*.jsonl` would be an alias
        value = text
    except (ValueError, RecursionError) as error:
        raise UserError(f"--set {dotted}: cannot read the value {text!r}") from error
    loc: Loc = tuple(int(part) if part.isascii() and part.isdecimal() else part for part in dotted.split("."))
    here: Any = data
    for part, following in itertools.pairwise(loc):
        here = _step_into(here, part, following, dotted)
    _assign(here, loc[-1], value, dotted)
    return loc


def _step_into(here: Any, part: str | int, following: str | int, dotted: str) -> Any:
    if isinstance(here, dict):
        if not isinstance(here.get(str(part)), dict | list):
            here[str(part)] = [] if isinstance(following, int) else {}
        return here[str(part)]
    if isinstance(here, list) and isinstance(part, int) and part < len(here):
        return here[part]
    raise UserError(f"--set {dotted}: no element {part!r} there")


def _assign(here: Any, last: str | int, value: Any, dotted: str) -> None:
    if isinstance(here, dict):
        here[str(last)] = value
    elif isinstance(here, list) and isinstance(last, int) and last < len(here):
        here[last] = value
    elif isinstance(here, list) and last == len(here):
        here.append(value)
    else:
        raise UserError(f"--set {dotted}: no element {last!r} there")


def output_override(run: Path) -> str:
    """Return the `--set` text for an output; quoted, because a path such as `2024` or `a #1` means more in YAML."""
    return f"output={json.dumps(str(run), ensure_ascii=False)}"


def paths_in(config: BaseModel) -> list[Path]:
    """Return every path in a config, at any depth."""

    def walk(value: Any) -> typing.Iterator[Path]:
        if isinstance(value, Path):
            yield value
        elif isinstance(value, BaseModel):
            yield from walk([getattr(value, name) for name in type(value).model_fields])
        elif isinstance(value, dict):
            yield from walk(list(value.values()))
        elif isinstance(value, list | tuple):
            yield from (path for inner in value for path in walk(inner))

    return list(walk(config))


def resolved(config: BaseModel) -> dict[str, Any]:
    """Return a config as plain JSON-able values, defaults filled in."""
    return config.model_dump(mode="json")


def decisive(config: BaseModel) -> dict[str, Any]:
    """Return what decides a run's result: `resolved` without the `placement` keys, at any depth."""
    kept: dict[str, Any] = _decisive(config, resolved(config))
    return kept


def _decisive(value: Any, plain: Any) -> Any:
    """Return the plain form of a value without the placement keys of the models in it."""
    if isinstance(value, BaseModel):
        skipped = value.placement if isinstance(value, StrictModel) else frozenset()
        return {name: _decisive(getattr(value, name), plain[name]) for name in plain if name not in skipped}
    if isinstance(value, dict):
        return {name: _decisive(inner, plain[name]) for name, inner in zip(plain, value.values(), strict=True)}
    if isinstance(value, list | tuple):
        return [_decisive(inner, flat) for inner, flat in zip(value, plain, strict=True)]
    return plain
