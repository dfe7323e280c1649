"""The pool: seed tasks and what was accepted; which of them a prompt shows, and what is too near to them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from data_pipeline.self_instruct.ask import Shown, request_seed
from data_pipeline.self_instruct.config import SelfInstructConfig
from data_pipeline.self_instruct.prompts import instructions_prompt, whole_tasks_prompt
from data_pipeline.self_instruct.rouge import Nearest
from data_pipeline.self_instruct.shortfall import Shortfall
from data_pipeline.self_instruct.tasks import Row, SeedTask, Task
from data_pipeline.self_instruct.wording import WORDINGS
from utils.errors import UserError

DECISION_EXAMPLES = 4  # of either kind
INSTANCE_EXAMPLES = 2


@dataclass(slots=True)
class Pool:
    """Grows batch by batch; what it shows depends on the config's seed and on what is in it, on nothing else."""

    config: SelfInstructConfig
    seeds: list[SeedTask]
    tasks: list[Task] = field(default_factory=list)
    near: Nearest = field(init=False)
    shortfall: Shortfall | None = field(init=False)
    taken: Counter[str] = field(default_factory=Counter)
    nodes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        quota = self.config.quota
        self.shortfall = None if quota is None else Shortfall(quota, self.seeds, self.config.seeds)
        self.near = Nearest(self.config.similarity)
        for seed in self.seeds:
            self.near.add(seed.id, seed.instruction)
        if len(self.seeds) < self.config.seeds_per_prompt:
            raise UserError(
                f"{len(self.seeds)} seed tasks are fewer than seeds_per_prompt {self.config.seeds_per_prompt}",
                where=str(self.config.seeds),
                mend="set seeds_per_prompt to fewer",
            )

    def add(self, drafts: Iterable[Row]) -> None:
        """Take the accepted drafts of a committed batch in."""
        for row in drafts:
            if row["status"] == "kept":
                self.tasks.append(
                    Task(row["id"], row["instruction"], row["input"], row["output"], row["is_classification"])
                )
                self.near.add(row["id"], row["instruction"])
                if row["node"] is not None:
                    self.taken[row["node"]] += 1
                    self.nodes[row["id"]] = row["node"]

    @property
    def full(self) -> bool:
        """Tell whether no more tasks are wanted."""
        enough = self.shortfall is not None and self.shortfall.full(self.taken)
        return enough or len(self.tasks) >= self.config.target

    def shown(self, batch: str, number: int) -> Shown:
        """Return one prompt of a batch: seed tasks and pool tasks drawn and shuffled by the run's seed."""
        config = self.config
        rng = random.Random(request_seed(config.seed, f"{batch}/examples", number))  # noqa: S311
        node, tasks, own = self._of_node(number)
        drawn = rng.sample(tasks, min(config.pool_per_prompt, len(tasks)))
        wanted = config.seeds_per_prompt + config.pool_per_prompt - len(drawn)
        chosen = rng.sample(own, min(wanted, len(own)))
        seeds = [seed.example(rng.randrange(len(seed.instances))) for seed in chosen]
        examples = [*seeds, *drawn]
        rng.shuffle(examples)
        form = whole_tasks_prompt if config.way == "whole_tasks" else instructions_prompt
        text = form(examples, WORDINGS[config.lang], config.tasks_per_prompt)
        return Shown(text, tuple(seeds), tuple(drawn), node)

    def _of_node(self, number: int) -> tuple[str | None, list[Task], list[SeedTask]]:
        """Return what a prompt is for, and the tasks and seed tasks that it may show: all, where there is no quota."""
        if self.shortfall is None:
            return None, self.tasks, self.seeds
        node = self.shortfall.asked(self.taken, number, self.config.tasks_per_prompt)
        return node, [task for task in self.tasks if self.nodes[task.id] == node], self.shortfall.seeds[node]

    def decision_examples(self, batch: str) -> list[Task]:
        """Return seed tasks that show what a classification is and what is none, shuffled."""
        rng = random.Random(request_seed(self.config.seed, f"{batch}/decisions", 0))  # noqa: S311
        found = [task for kind in (True, False) for task in self._of_kind(kind, DECISION_EXAMPLES, rng)]
        rng.shuffle(found)
        return found

    def instance_examples(self, batch: str) -> dict[bool, list[Task]]:
        """Return seed tasks that show how an instance looks: by whether they are classifications."""
        rng = random.Random(request_seed(self.config.seed, f"{batch}/instances", 0))  # noqa: S311
        return {kind: self._of_kind(kind, INSTANCE_EXAMPLES, rng) for kind in (True, False)}

    def _of_kind(self, kind: bool, count: int, rng: random.Random) -> list[Task]:
        seeds = [seed for seed in self.seeds if seed.is_classification == kind]
        return [seed.example(rng.randrange(len(seed.instances))) for seed in rng.sample(seeds, min(count, len(seeds)))]
