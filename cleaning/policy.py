"""A policy: rules in order, as data. One YAML file each in `configs/cleaning/policies/`."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter

import posttrain_root
from cleaning.rules import Rule
from utils.errors import UserError
from utils.runs.config import StrictModel, load_config

POLICIES = posttrain_root.ROOT / "configs" / "cleaning" / "policies"

_RULE: TypeAdapter[Rule] = TypeAdapter(Rule)


class Policy(StrictModel):
    """What a policy file holds."""

    description: str = ""
    """For whom it is."""
    rules: list[Rule] = Field(default_factory=list)
    """In the order in which they are applied; the first failing one gives a dropped row its reason."""


def load_policy(path: Path) -> Policy:
    """Read a policy file.

    Raises:
        UserError: with file, line, key and the nearest valid name.

    """
    return load_config(Policy, path)


def find_policy(name: str) -> Path:
    """Return the file of a shipped policy's name, or the path that was given.

    Raises:
        UserError: neither is there; the nearest name is offered.

    """
    known = {path.stem: path for path in sorted(POLICIES.rglob("*.yaml"))}
    if name in known:
        return known[name]
    if Path(name).is_file():
        return Path(name)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    mend = f"nearest: {near[0]}" if near else "give the path of a policy file"
    raise UserError(f"no policy {name!r}", where="policy", mend=mend)


def rule_from(parameters: dict[str, Any]) -> Rule:
    """Return the rule that a task's JSON describes."""
    return _RULE.validate_python(parameters)
