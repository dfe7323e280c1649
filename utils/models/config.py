"""The config of a tiny model: small enough to train on two CPU cores, real in every other way."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from utils.runs.config import RunConfig


class TinyModelConfig(RunConfig):
    """`posttrain init tiny-model`: a Llama from its config and a tokenizer trained from your text."""

    input: list[Path] = Field(min_length=1)
    """Files or directories whose text trains the tokenizer."""

    hidden: int = Field(default=128, ge=8)
    """Width of the residual stream; the feed-forward layers are four times as wide."""

    layers: int = Field(default=4, ge=1)
    """Transformer blocks."""

    heads: int = Field(default=4, ge=1)
    """Attention heads; must divide `hidden`."""

    vocab_size: int = Field(default=2048, ge=300)
    """Tokens, special tokens and the 256 bytes included. Fewer come out when the text is too short to fill it."""

    max_length: int = Field(default=2048, ge=16)
    """Longest sequence that the position embeddings allow."""

    @model_validator(mode="after")
    def _heads_divide_width(self) -> TinyModelConfig:
        if self.hidden % self.heads or (self.hidden // self.heads) % 2:
            raise ValueError(f"hidden={self.hidden} must be an even multiple of heads={self.heads}")
        return self
