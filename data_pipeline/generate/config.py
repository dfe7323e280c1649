"""The config of one generate run."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from utils.runs.config import RunConfig


class GenerateConfig(RunConfig):
    """`posttrain generate`: a model answers every prompt of a file."""

    model: Path
    """A Hugging Face directory, a finished sft or dpo run, or a PEFT directory with its base."""
    input: Path | list[Path]
    """Prompts: a file, a folder or a run, in any format. An answer that a row brings along is its reference."""
    format: str | None = None
    """Name of the rows' format, when their keys leave it open."""
    text_field: str | None = None
    """The column that is the prompt, when the rows are a plain table."""
    system: str | None = None
    """A system message for every prompt that brings none."""
    template: str | None = None
    """A shipped chat template or a .jinja file; by default the model's own."""
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Precision of the weights; `auto` is 16 bit on a GPU, else fp32."""
    load_in_8bit: bool = False
    """Weights in 8 bit by bitsandbytes; needs a CUDA GPU and that package."""
    max_new_tokens: int = Field(default=256, ge=1)
    """Limit per answer."""
    temperature: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """0 takes the likeliest token."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Nucleus, with a temperature above 0."""
    batch_size: int = Field(default=16, ge=1)
    """Prompts per forward pass; eight such batches are committed together."""
    over_length: Literal["quarantine", "cut"] = "quarantine"
    """A prompt that leaves no room for `max_new_tokens`: set aside; or cut, the oldest exchanges first, then the end
    of the question."""
    to: Literal["parquet", "jsonl"] = "parquet"
    """What `answers` is written as."""
    quarantine_limit: float = Field(default=0.01, ge=0, le=1)
    """Share of rows that may be set aside before the run ends with exit code 3."""
