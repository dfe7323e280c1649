"""A task: an instruction, its input and its answer; and the seed tasks that new ones are made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_pipeline.stored import stored_rows
from utils.errors import UserError
from utils.runs.manifest import digest

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """One instruction with one instance.

    Args:
        id: of the seed task, or a hash of what the task says.
        instruction: what is asked.
        input: what it is asked of; empty when the instruction says it all.
        output: the answer.
        is_classification: the answer is one of a few labels.

    """

    id: str
    instruction: str
    input: str
    output: str
    is_classification: bool


@dataclass(frozen=True, slots=True)
class SeedTask:
    """A task that people wrote, with one instance or several; `node` where it says what of a taxonomy it belongs to."""

    id: str
    instruction: str
    instances: tuple[tuple[str, str], ...]
    is_classification: bool
    node: str | None = None

    def example(self, number: int) -> Task:
        """Return the task with one of its instances; any number will do, they go round."""
        given, output = self.instances[number % len(self.instances)]
        return Task(self.id, self.instruction, given, output, self.is_classification)


def read_seed_tasks(path: Path) -> list[SeedTask]:
    """Return the seed tasks of a file, as Self-Instruct, Alpaca and BELLE publish them.

    Raises:
        UserError: no task, a row of another form, or two tasks with one id; file and task are named.

    """
    tasks = [_seed_task(row, path) for row in stored_rows(path, ["instruction", "instances"])]
    if not tasks:
        raise UserError("no seed task in it", where=str(path))
    names = [task.id for task in tasks]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"two seed tasks have the id {twice[0]!r}", where=str(path), mend="give each its own id")
    return tasks


def _seed_task(row: Row, path: Path) -> SeedTask:
    instruction, instances = row["instruction"], row["instances"]
    name = str(row.get("id") or digest([instruction, instances]))
    where = f"{path}, task {name}"
    if not isinstance(instruction, str) or not instruction.strip():
        raise UserError("the instruction is no text, or blank", where=where)
    if not isinstance(instances, list) or not instances:
        raise UserError("instances is not a list of {input, output}", where=where)
    kind = row.get("is_classification", False)
    if not isinstance(kind, bool):
        raise UserError(f"is_classification is {kind!r}, neither true nor false", where=where)
    node = row.get("node")
    if node is not None and not isinstance(node, str):
        raise UserError(f"node is {node!r}, no name", where=where)
    return SeedTask(name, instruction.strip(), tuple(_instances(instances, where)), kind, node)


def _instances(instances: list[Any], where: str) -> Iterator[tuple[str, str]]:
    for number, instance in enumerate(instances):
        pair = instance if isinstance(instance, dict) else {}
        given, output = pair.get("input") or "", pair.get("output")
        if not isinstance(given, str) or not isinstance(output, str) or not output.strip():
            raise UserError(f"instance {number} has no text as output, or an input that is none", where=where)
        yield given.strip(), output.strip()
