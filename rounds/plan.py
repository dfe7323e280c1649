"""The plan of a post-training, as a pure function of its config.

A step is one `posttrain` command. In its config `{name}` stands for the output of an earlier step, so the graph can be
read off the keys themselves: `{rows}` the clean rows, `{attributes}`, `{tier}`, `{start}` the model before round 1,
`{previous}` the model that the round before ended with, and within a round `{sft}`, `{candidates}`, `{judge}`,
`{pairs}`, `{dpo}`. `{round}` is the round's number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from rounds.config import Keys, Round, RoundsConfig, Start
from utils.errors import UserError
from utils.runs.config_file import merged

ORDER = ("sft", "candidates", "judge", "pairs", "dpo", "evaluate")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")

_FILLED: dict[str, Keys] = {
    "sft": {"model": "{previous}"},
    "candidates": {"seeds": "{tier}/seeds/round-{round}.parquet"},
    "judge": {"candidates": "{candidates}"},
    "pairs": {"candidates": "{candidates}", "judgements": "{judge}"},
    "dpo": {"model": "{sft}", "pairs": ["{pairs}/pairs.parquet"]},
    "evaluate": {
        "tasks": "{tier}/held_out.parquet",
        "models": [{"name": "round-{round}-sft", "path": "{sft}"}, {"name": "round-{round}-dpo", "path": "{dpo}"}],
    },
}
"""What the plan fills in where the config is silent: how the steps of a round are joined."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command of the plan.

    Attributes:
        name: unique in the plan, such as `r2-dpo`.
        verb: the `posttrain` verb, such as `dpo` or `init tiny-model`.
        config: its config without `output`; `{step name}` stands for that step's run directory.
        needs: names of the steps whose outputs it reads.

    """

    name: str
    verb: str
    config: Keys
    needs: tuple[str, ...]


def plan(config: RoundsConfig) -> list[Step]:
    """Return the steps in an order in which they can run."""
    names: dict[str, str] = {}
    steps = list(_data_steps(config, names))
    if config.start is not None:
        steps += _start_steps(config.start, config.seed, names)
    for number, own in enumerate(config.rounds, start=1):
        steps += _round_steps(number, merged_round(config.every_round, own), config.seed, names)
    return steps


def merged_round(shared: Round, own: Round) -> dict[str, Keys]:
    """Return the keys of each step of a round: the plan's own, then the shared, then the round's."""
    return {verb: merged(merged(_FILLED[verb], getattr(shared, verb)), getattr(own, verb)) for verb in ORDER}


def _data_steps(config: RoundsConfig, names: dict[str, str]) -> Iterator[Step]:
    if config.sample is not None:
        yield _step("sample", "init sample", {"seed": config.seed, **config.sample}, names)
    if config.clean is not None:
        yield _step("clean", "clean", {"seed": config.seed, **config.clean}, names)
        names["rows"] = "{clean}"
    else:
        names["rows"] = str(config.rows)
    attributes = {"seed": config.seed, "input": "{rows}", **config.attributes}
    yield _step("attributes", "attributes", attributes, names)
    tier = {"seed": config.seed, "input": "{rows}", "attributes": "{attributes}", **config.tier}
    yield _step("tier", "tier", tier, names)
    called = {"seed": config.seed, **({"name": config.name} if config.name else {})}
    if config.view is not None:
        seen = {**called, "attributes": "{attributes}", "tier": "{tier}", **config.view}
        yield _step("view", "view", seen, names)
    if config.card is not None:
        told = {**called, "input": "{tier}", "attributes": "{attributes}", **config.card}
        yield _step("card", "card", told, names)


def _start_steps(start: Start, seed: int, names: dict[str, str]) -> Iterator[Step]:
    if start.tiny_model is None:
        names["start"] = str(start.model)
    else:
        keys = {"seed": seed, "input": ["{rows}"], **start.tiny_model}
        yield _step("start", "init tiny-model", keys, names)
    names["previous"] = names["start"]


def _round_steps(number: int, keys: dict[str, Keys], seed: int, names: dict[str, str]) -> Iterator[Step]:
    names["round"] = str(number)
    for verb in ORDER:
        yield _step(f"r{number}-{verb}", verb, {"seed": seed + number, **keys[verb]}, names, alias=verb)
    names["previous"] = names["dpo"]
    for verb in ORDER:
        del names[verb]


def _step(name: str, verb: str, keys: Keys, names: dict[str, str], *, alias: str | None = None) -> Step:
    """Return a step with its placeholders resolved to step names, and remember its own."""
    known = {"round", *names}

    def to_step(match: re.Match[str]) -> str:
        if match[1] not in known:
            raise UserError(f"{match[0]} names no earlier step", where=f"step {name}", mend=f"known: {sorted(known)}")
        return names[match[1]]

    config = mapped(keys, lambda text: _PLACEHOLDER.sub(to_step, text))
    needs = tuple(dict.fromkeys(found for text in strings(config) for found in re.findall(r"\{([a-z0-9-]+)\}", text)))
    names[alias or name] = f"{{{name}}}"
    return Step(name, verb, config, needs)


def mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Return a JSON-able value with every string changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: mapped(inner, change) for key, inner in value.items()}
    if isinstance(value, list):
        return [mapped(inner, change) for inner in value]
    return value


def strings(value: Any) -> Iterator[str]:
    """Yield every string in a JSON-able value."""
    found: list[str] = []
    mapped(value, lambda text: found.append(text) or text)  # type: ignore[func-returns-value]
    yield from found
