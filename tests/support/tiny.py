"""What the tests of models and training share: a tiny model, a few chats and pairs, a run in this process."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [
    "What is the capital of France? The capital of France is Paris.",
    "给出三个保持健康的秘诀。均衡饮食，定期锻炼，充足的睡眠。",
    "Add two and three. Two and three is five.",
    "什么是三原色？三原色是红、蓝、黄。",
    "Translate 'good morning' into Chinese. 早上好。",
    "Name a fruit. An apple is a fruit. 请说出一种水果。苹果是一种水果。",
]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a tiny model."""
    from utils.models.tiny import make_tiny_model

    output = tmp_path_factory.mktemp("tiny") / "model"
    return make_tiny_model(TEXTS, output, hidden=32, layers=2, heads=2, vocab_size=400, seed=7, max_length=256)


@pytest.fixture
def keep_handlers() -> Iterator[None]:
    """Give pytest its signal handlers back after a run in this process."""
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGTERM, signal.SIGINT)}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


def chats(count: int = 14) -> list[dict[str, Any]]:
    """Rows in chat form, of different lengths, Chinese and English."""
    questions = ["Say the number", "请说出这个数字", "Count for me up to", "数到"]
    return [
        {
            "messages": [
                {"role": "user", "content": f"{questions[n % 4]} {n}"},
                {"role": "assistant", "content": ("好的：" if n % 2 else "Sure: ") + " ".join(map(str, range(n)))},
            ]
        }
        for n in range(count)
    ]


def pairs(count: int = 14) -> list[dict[str, Any]]:
    """Preference rows: the chosen answer is Chinese, the rejected one English."""
    return [
        {
            "prompt": [{"role": "user", "content": f"Name a fruit, number {n}."}],
            "chosen": [{"role": "assistant", "content": "苹果是一种水果。" + "好" * (n % 3)}],
            "rejected": [{"role": "assistant", "content": "An apple is a fruit." + " Yes" * (n % 4)}],
        }
        for n in range(count)
    ]


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as JSONL."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Read JSONL."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def computed(run: Path) -> list[dict[str, Any]]:
    """The metrics of a run without what depends on the clock."""
    from utils.training.meters import TIMED

    lines = read_jsonl(run / "metrics.jsonl")
    return [{key: value for key, value in line.items() if key not in TIMED} for line in lines]


def write_config(path: Path, config: dict[str, Any]) -> Path:
    """Write a config file; JSON is YAML."""
    path.write_text(json.dumps(config, default=str), encoding="utf-8")
    return path


def weights(run: Path) -> bytes:
    """The final weights of a run, as bytes."""
    return (run / "model" / "model.safetensors").read_bytes()


def child_environment() -> dict[str, str]:
    """The environment of a child process that has to compute exactly what this process computes."""
    import torch

    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
    }


def command(module: str, config: Path) -> list[str]:
    """The command that runs a stage."""
    return [sys.executable, "-m", module, "--config", str(config)]
