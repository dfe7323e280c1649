"""The config of one self-instruct run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from data_pipeline.quota import QuotaFile, quota_file
from utils.models.chat.config import ChatModelConfig
from utils.runs.config import RunConfig


class SelfInstructConfig(RunConfig):
    """`posttrain self-instruct`: new instructions from seed tasks."""

    seeds: Path
    """Seed tasks: `{id, instruction, instances: [{input, output}, …], is_classification}` per row."""
    lang: Literal["zh", "en"]
    """The language that is asked in and for."""
    model: ChatModelConfig
    """Who is asked, by a chat or a completion API."""
    way: Literal["whole_tasks", "steps"] = "whole_tasks"
    """whole_tasks: one reply holds many tasks with their answers, as Alpaca and BELLE ask. steps: instructions, then
    for each whether it is a classification, then its instance, as Self-Instruct asks."""
    quota: Annotated[QuotaFile | None, BeforeValidator(quota_file)] = None
    """A card's quota.yaml: prompts show seed tasks of the nodes that are short, until all are full."""
    target: int = Field(ge=1)
    """Tasks to write."""
    max_prompts: int = Field(ge=1)
    """Prompts for new instructions after which the run ends, whatever the target."""
    prompts_per_batch: int = Field(default=4, ge=1)
    """Prompts asked together; a batch is filtered and committed as one."""
    seeds_per_prompt: int = Field(default=3, ge=1)
    """Seed tasks shown in a prompt."""
    pool_per_prompt: int = Field(default=1, ge=0)
    """Tasks of the pool shown beside them; seed tasks take their place while the pool is smaller."""
    tasks_per_prompt: int = Field(default=10, ge=1)
    """New tasks that a prompt asks for."""
    max_tokens: int = Field(default=3072, ge=1)
    """Limit of a reply; one that is cut by it loses its last task."""
    temperature: float = Field(default=1.0, ge=0)
    """Of the replies with new tasks or instructions; decisions, instances and checks take the likeliest token."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Nucleus, likewise."""
    shortest: int = Field(default=4, ge=1)
    """Tokens of an instruction at least: words, or Chinese characters."""
    longest: int = Field(default=150, ge=1)
    """Tokens of an instruction at most."""
    similarity: float = Field(default=0.7, gt=0, le=1)
    """ROUGE-L to any seed or pool instruction from which a new one is refused."""
    verify: bool = True
    """Whether answers that a verifier can compare (labels, numbers) are asked for once more and must agree."""
    format: Literal["alpaca", "chat", "seed_task"] = "alpaca"
    """The form of the rows in `tasks.jsonl`."""
    quarantine_limit: float = Field(default=0.01, ge=0, le=1)
    """Share of requests without an answer from which the run ends with exit code 3."""

    @model_validator(mode="after")
    def _lengths(self) -> SelfInstructConfig:
        if self.shortest > self.longest:
            raise ValueError(f"shortest {self.shortest} is above longest {self.longest}")
        return self
