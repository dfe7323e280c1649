"""What the model is asked, in either way, and what it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from data_pipeline.batches import batch_seed
from data_pipeline.self_instruct import parse, prompts
from data_pipeline.self_instruct.config import SelfInstructConfig
from data_pipeline.self_instruct.parse import Draft
from data_pipeline.self_instruct.tasks import Task
from data_pipeline.self_instruct.wording import WORDINGS, Wording
from utils.data.records import Message
from utils.models.chat.protocol import Answer, ChatModel, Request, Sampling

DECISION_TOKENS = 16
SEEDS = 2**31  # servers take seeds of 31 bits


@dataclass(frozen=True, slots=True)
class Shown:
    """One prompt for new tasks and the examples in it; `node` is what it is for, where a quota says so."""

    text: str
    seeds: tuple[Task, ...]
    pool: tuple[Task, ...]
    node: str | None = None

    @property
    def first(self) -> int:
        """The number that the reply begins with."""
        return len(self.seeds) + len(self.pool) + 1


@dataclass(slots=True)
class Asker:
    """Asks the model; counts requests and tokens by what they were for."""

    config: SelfInstructConfig
    model: ChatModel
    used: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def wording(self) -> Wording:
        """The words of the run's language."""
        return WORDINGS[self.config.lang]

    def new(self, shown: Sequence[Shown], seeds: Sequence[int]) -> list[Answer]:
        """Ask for new tasks, or for new instructions alone."""
        config = self.config
        ends = {number.first + config.tasks_per_prompt for number in shown}
        stop = {end: f"\n{end}. {self.wording.task}" if config.way == "whole_tasks" else f"\n{end}. " for end in ends}
        requests = [
            _request(
                prompt.text,
                Sampling(
                    config.max_tokens, config.temperature, config.top_p, seed,
                    (stop[prompt.first + config.tasks_per_prompt],),
                ),
            )
            for prompt, seed in zip(shown, seeds, strict=True)
        ]  # fmt: skip
        return self._ask("new tasks", requests)

    def drafts(self, answer: Answer, shown: Shown) -> list[Draft]:
        """Return the drafts of one answer."""
        reply, cut = answer.text or "", answer.finish_reason == "length"
        if self.config.way == "whole_tasks":
            return parse.whole_tasks(reply, shown.first, cut, self.wording)
        return parse.instructions(reply, shown.first, cut)

    def decisions(self, instructions: Sequence[str], examples: Sequence[Task]) -> list[Answer]:
        """Ask of each instruction whether it is a classification."""
        texts = [prompts.decision_prompt(examples, instruction, self.wording) for instruction in instructions]
        return self._ask(
            "decisions", [_request(text, Sampling(DECISION_TOKENS, stop=(f"\n{prompts.SEPARATOR}",))) for text in texts]
        )

    def instances(
        self, asked: Sequence[tuple[str, bool]], examples: dict[bool, list[Task]]
    ) -> list[tuple[Answer, Draft | None]]:
        """Ask for one instance of each (instruction, is it a classification); an answer without text has no draft."""
        sampling = Sampling(self.config.max_tokens)
        texts = [prompts.instance_prompt(examples[kind], text, kind, self.wording) for text, kind in asked]
        answers = self._ask("instances", [_request(text, sampling) for text in texts])
        return [
            (answer, None if answer.text is None else self._instance(answer, text, kind, len(examples[kind]) + 1))
            for answer, (text, kind) in zip(answers, asked, strict=True)
        ]

    def _instance(self, answer: Answer, instruction: str, kind: bool, number: int) -> Draft:
        head = prompts.instance_head(number, instruction, kind, self.wording)
        return parse.instance(answer.text or "", head, answer.finish_reason == "length", self.wording)

    def checks(self, tasks: Sequence[Task]) -> list[Answer]:
        """Ask for the answers of tasks once more."""
        sampling = Sampling(self.config.max_tokens)
        return self._ask("checks", [_request(prompts.check_prompt(task, self.wording), sampling) for task in tasks])

    def _ask(self, what: str, requests: Sequence[Request]) -> list[Answer]:
        if not requests:
            return []
        answers = self.model.ask(requests)
        used = self.used.setdefault(what, Counter())
        for answer in answers:
            used["requests"] += 1
            used["failed"] += answer.text is None
            used["prompt_tokens"] += answer.prompt_tokens or 0
            used["completion_tokens"] += answer.completion_tokens or 0
            used["tokens_unknown"] += answer.text is not None and answer.completion_tokens is None
        return answers


def request_seed(seed: int, batch: str, number: int) -> int:
    """Return the seed of one prompt of a batch, 0 … 2^31 − 1."""
    return batch_seed(seed, f"{batch}/{number}") % SEEDS


def _request(text: str, sampling: Sampling) -> Request:
    return Request((Message("user", text),), sampling)
