"""A tiny model that was really trained: it knows a few answers by heart, and where they end."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.tiny import write_config, write_jsonl

KNOWN = {
    "What is the capital of France?": "Paris.",
    "什么是三原色？": "三原色是红、蓝、黄。",
    "Name a fruit.": "An apple.",
    "请说出一种水果。": "苹果是一种水果。🍎",
}


def lesson(path: Path) -> Path:
    """Write the questions with their answers."""
    rows = [
        {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}
        for question, answer in KNOWN.items()
    ]
    return write_jsonl(path, rows)


def train(model: Path, folder: Path, name: str = "run", **keys: Any) -> Path:
    """Run `posttrain sft` in this process; return the run directory."""
    from postraining_sft.train import STAGE
    from utils.runs.stage import run_stage

    data = lesson(folder / "lesson.jsonl")
    config = {
        "model": model,
        "data": [data],
        "output": folder / name,
        "max_steps": 60,
        "batch_size": 4,
        "learning_rate": 1e-2,
        "scheduler": "constant",
        "save_steps": 1000,
        "max_length": 128,
        **keys,
    }
    assert run_stage(STAGE, ["--config", str(write_config(folder / f"{name}.json", config)), "--quiet"]) == 0
    return folder / name


@pytest.fixture(scope="session")
def trained(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose model knows the answers."""
    handlers = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
    run = train(tiny_model, tmp_path_factory.mktemp("trained"))
    for signum, handler in handlers.items():
        signal.signal(signum, handler)
    return run
