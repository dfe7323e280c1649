"""A tiny real model and a few tasks, made once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # for `stages`

from stages import jsonl

SUMS = [(a, b) for a in range(1, 6) for b in range(1, 5)]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from utils.models.tiny import make_tiny_model

    texts = [f"What is {a} plus {b}? {a + b} {a}加{b}等于几？" for a, b in SUMS]
    path = tmp_path_factory.mktemp("models") / "tiny"
    return make_tiny_model(texts, path, hidden=32, layers=1, heads=2, vocab_size=320, max_length=128)


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """20 sums, half English, half Chinese, with their answers."""
    asked = [f"What is {a} plus {b}?" if (a + b) % 2 else f"{a}加{b}等于几？" for a, b in SUMS]
    rows = [
        {"instruction": question, "input": "", "output": str(a + b)}
        for question, (a, b) in zip(asked, SUMS, strict=True)
    ]
    return jsonl(tmp_path / "tasks.jsonl", rows)
