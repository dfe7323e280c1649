"""`posttrain init tiny-model`: a tiny model from your own text, as a run with a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from utils.data.streaming import iter_records
from utils.models.config import TinyModelConfig
from utils.runs.directory import Run


def inputs(config: TinyModelConfig) -> list[Path]:
    """Return the text that trains the tokenizer."""
    return list(config.input)


def dry_run(config: TinyModelConfig) -> dict[str, Any]:
    """Return the number of weights in the transformer blocks and embeddings."""
    block = 4 * config.hidden**2 + 12 * config.hidden**2
    return {"parameters": config.vocab_size * config.hidden + config.layers * block}


def work(run: Run, config: TinyModelConfig) -> dict[str, Any]:
    """Write `model/`."""
    from utils.models.tiny import make_tiny_model

    texts = [message.content for record in iter_records(config.input) for message in record.messages]
    if run.committed("model") is None:
        with run.unit("model") as unit:
            with unit.directory("model") as temporary:
                shape = config.model_dump(include={"hidden", "layers", "heads", "vocab_size", "max_length", "seed"})
                make_tiny_model(texts, temporary, **shape)
            unit.commit({"texts": len(texts)})
    return {"in": len(texts), "kept": len(texts), "dropped": 0, "quarantined": 0, "by_reason": {}}
