"""Answers from a model on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from data_pipeline.candidates.kinds.reply import Pool, Reply
from data_pipeline.loaded_model import flaw_of, loaded
from data_pipeline.prompts import Prompt
from utils.runs.config import Name, StrictModel

if TYPE_CHECKING:
    from utils.models.generate import LocalModel


class Local(StrictModel):
    """A Hugging Face model directory or a finished sft or dpo run."""

    kind: Literal["local"]
    name: Name
    """Under this name its answers are known."""
    path: Path
    """The model directory, or the run."""
    samples: int = Field(default=1, ge=1)
    """Answers per prompt."""
    max_new_tokens: int = Field(default=256, ge=1)
    """Limit per answer."""
    temperature: float = Field(default=1.0, ge=0)
    """0 takes the likeliest token."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Nucleus."""
    batch_size: int = Field(default=16, ge=1)
    """Prompts per committed batch, answers per forward pass."""
    policy: bool = False
    """Whether this is the model that the pairs will train."""

    @property
    def input(self) -> Path:
        """What is read."""
        return self.path

    @contextmanager
    def open(self) -> Iterator[Pool]:
        """Load the model for as long as it is asked."""
        with loaded(self.path, batch_size=self.batch_size) as model:
            yield _LocalPool(self, model)

    def asks(self, prompts: int) -> int | None:
        """Return how many answers will be asked for."""
        return prompts * self.samples


@dataclass(slots=True)
class _LocalPool:
    config: Local
    model: LocalModel

    def answer(self, prompts: Sequence[Prompt], seed: int) -> list[list[Reply]]:
        """Answer those prompts that the model can take; say of the others why not."""
        config = self.config
        flaws = [flaw_of(self.model, prompt.messages, config.max_new_tokens) for prompt in prompts]
        answers = self.model.answer(
            [prompt.messages for prompt, flaw in zip(prompts, flaws, strict=True) if flaw is None],
            samples=config.samples,
            max_new_tokens=config.max_new_tokens,
            temperature=config.temperature,
            top_p=config.top_p,
            seed=seed,
        )
        coming = iter(answers)
        return [[self._reply(sample, flaw, coming) for sample in range(config.samples)] for flaw in flaws]

    def _reply(self, sample: int, flaw: str | None, coming: Iterator) -> Reply:
        if flaw is not None:
            return Reply(self.config.name, sample, error=flaw)
        answer = next(coming)
        return Reply(self.config.name, sample, answer.text, finish_reason=answer.finish_reason, tokens=answer.tokens)
