"""A policy: rules in order, as data. One YAML file each in `configs/cleaning/policies/`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter

import posttrain_root
from cleaning.rules import Rule
from utils.errors import UserError, nearest
from utils.runs.config import StrictModel, load_config

POLICIES = posttrain_root.ROOT / "configs" / "cleaning" / "policies"

_RULE: TypeAdapter[Rule] = TypeAdapter(Rule)


class Policy(StrictModel):
    """What a policy file holds.

    `extends` names another policy, whose rules come first. Of these, `without` leaves some out, `before` puts rules in
    front of one, and a rule of the same name in `rules` takes the place of one; all other `rules` follow at the end.
    Rules go by their `name`, or by `rule` when they have none.
    """

    description: str = ""
    """For whom it is."""
    extends: str | None = None
    """The name of a shipped policy, or the path of a policy file."""
    without: tuple[str, ...] = ()
    """Rules of the extended policy that this one has not."""
    before: dict[str, list[Rule]] = Field(default_factory=dict)
    """Rules to put in front of a rule of the extended policy."""
    rules: list[Rule] = Field(default_factory=list)
    """In the order in which they are applied; the first failing one gives a dropped row its reason."""


def load_policy(path: Path) -> Policy:
    """Read a policy file; what it extends is worked in, so `rules` are all that apply.

    Raises:
        UserError: with file, line, key and the nearest valid name.

    """
    return _loaded(path, ())


def _loaded(path: Path, seen: tuple[Path, ...]) -> Policy:
    policy = load_config(Policy, path)
    if policy.extends is None:
        if policy.without or policy.before:
            raise UserError("without and before need extends", where=str(path))
        return policy
    chain = (*seen, path.resolve())
    base = find_policy(policy.extends)
    if base.resolve() in chain:
        raise UserError(f"{policy.extends} extends what extends it", where=str(path))
    rules = _extended(_loaded(base, chain).rules, policy, path)
    return Policy(description=policy.description, rules=rules)


def _extended(base: list[Rule], policy: Policy, path: Path) -> list[Rule]:
    """Return a policy's rules within those of the one that it extends."""
    known = [rule.reason for rule in base]
    for name in (*policy.without, *policy.before):
        if name not in known:
            raise UserError(f"{policy.extends} has no rule {name!r}", where=str(path), mend=nearest(name, known))
    own = {rule.reason: rule for rule in policy.rules}
    if len(own) < len(policy.rules):
        raise UserError("two rules of one name", where=str(path), mend="give one a `name:` of its own")
    rules: list[Rule] = []
    for rule in base:
        rules += policy.before.get(rule.reason, [])
        if rule.reason not in policy.without:
            rules.append(own.pop(rule.reason, rule))
    return rules + list(own.values())


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
    mend = nearest(name, known) or "give the path of a policy file"
    raise UserError(f"no policy {name!r}", where="policy", mend=mend)


def rule_from(parameters: dict[str, Any]) -> Rule:
    """Return the rule that a task's JSON describes."""
    return _RULE.validate_python(parameters)
