"""Answers that lie in a file already: many models at once, none of them asked again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from data_pipeline.candidates.kinds.reply import Pool, Reply
from data_pipeline.prompts import Prompt, fold_blanks
from data_pipeline.stored import stored_rows
from utils.runs.config import Name, StrictModel

Stored = dict[tuple[str, str], list[Any]]  # (prompt's name in the file, model) → its answers


class Replay(StrictModel):
    """Stored answers. The defaults read a `candidates.parquet` of ours."""

    kind: Literal["replay"]
    file: Path
    """Parquet, JSONL or JSON: one row per answer."""
    key_field: str = "prompt_id"
    """The column that names the prompt."""
    seed_key: str = "id"
    """What it is equal to: `id` of the seed record, `prompt` (the text of its last turn), or a key of its meta."""
    text_field: str = "text"
    """The column with the answer."""
    model_field: str | None = "model"
    """The column with the model's name; null when all answers are of one model, see `name`."""
    name: Name | None = None
    """The model's name where no column says it."""
    only: list[str] | None = None
    """Models to take; by default all in the file."""
    policy: bool = False
    """Whether the answers are of the model that the pairs will train."""
    batch_size: int = Field(default=256, ge=1)
    """Prompts per committed batch."""

    @model_validator(mode="after")
    def _one_name(self) -> Replay:
        if (self.model_field is None) == (self.name is None):
            raise ValueError("a replay has either a model_field or a name (set model_field=null to give a name)")
        return self

    @property
    def input(self) -> Path:
        """What is read."""
        return self.file

    @contextmanager
    def open(self) -> Iterator[Pool]:
        """Read the file."""
        yield _ReplayPool(self, self._read())

    def asks(self, prompts: int) -> int | None:
        """Return how many answers will be asked for; unknown before the file is read."""
        return None

    def key_of(self, prompt: Prompt) -> str | None:
        """Return the name that a prompt has in the file; None when the seed does not carry it."""
        if self.seed_key == "id":
            return prompt.id
        if self.seed_key == "prompt":
            return fold_blanks(prompt.question)
        value = prompt.meta.get(self.seed_key)
        return None if value is None else str(value)

    def _read(self) -> Stored:
        answers: Stored = defaultdict(list)
        for row in stored_rows(self.file, [self.key_field, self.text_field, self.model_field]):
            model = str(row[self.model_field]) if self.model_field else str(self.name)
            key = str(row[self.key_field])
            if self.only is None or model in self.only:
                answers[fold_blanks(key) if self.seed_key == "prompt" else key, model].append(row[self.text_field])
        return dict(answers)


@dataclass(slots=True)
class _ReplayPool:
    config: Replay
    stored: Stored

    def answer(self, prompts: Sequence[Prompt], seed: int) -> list[list[Reply]]:
        """Look the answers up, every model of the file in turn."""
        models = sorted({model for _, model in self.stored})
        return [[reply for model in models for reply in self._replies(prompt, model)] for prompt in prompts]

    def _replies(self, prompt: Prompt, model: str) -> list[Reply]:
        key = self.config.key_of(prompt)
        found = self.stored.get((key, model)) if key is not None else None
        if not found:
            return [Reply(model, 0, missing=True)]
        ordered = sorted(found, key=repr)  # the order in the file must not number the samples
        return [_reply(model, sample, text, key) for sample, text in enumerate(ordered)]


def _reply(model: str, sample: int, text: Any, key: str | None) -> Reply:
    if isinstance(text, str):
        return Reply(model, sample, text, stored_key=key)
    return Reply(model, sample, error=f"the stored answer is no text but {type(text).__name__}", stored_key=key)
