"""The pool: seed tasks and what was accepted; which of them a prompt shows, and what is too near to them."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from data_pipeline.self_instruct.ask import Shown, request_seed
from data_pipeline.self_instruct.config import SelfInstructConfig
from data_pipeline.self_instruct.prompts import instructions_prompt, whole_tasks_prompt
from data_pipeline.self_instruct.rouge import Nearest
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

    def __post_init__(self) -> None:
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

    def shown(self, batch: str, number: int) -> Shown:
        """Return one prompt of a batch: seed tasks and pool tasks drawn and shuffled by the run's seed."""
        config = self.config
        rng = random.Random(request_seed(config.seed, f"{batch}/examples", number))  # noqa: S311
        drawn = rng.sample(self.tasks, min(config.pool_per_prompt, len(self.tasks)))
        wanted = config.seeds_per_prompt + config.pool_per_prompt - len(drawn)
        chosen = rng.sample(self.seeds, min(wanted, len(self.seeds)))
        seeds = [seed.example(rng.randrange(len(seed.instances))) for seed in chosen]
        examples = [*seeds, *drawn]
        rng.shuffle(examples)
        form = whole_tasks_prompt if config.way == "whole_tasks" else instructions_prompt
        text = form(examples, WORDINGS[config.lang], config.tasks_per_prompt)
        return Shown(text, tuple(seeds), tuple(drawn))

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
