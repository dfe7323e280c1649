"""Lessons of production that no test of a larger thing holds: see the table in docs/TRAINING.md."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from postraining_sft.config import SftConfig
from utils.models.locate import work_offline
from utils.training.arguments import training_arguments


def test_the_tokenizers_threads_are_set(monkeypatch: pytest.MonkeyPatch):
    """Lesson 7."""
    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    work_offline()
    assert os.environ["TOKENIZERS_PARALLELISM"] == "false"
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    work_offline()
    assert os.environ["TOKENIZERS_PARALLELISM"] == "true"


def test_no_process_shares_tensors(tmp_path: Path):
    """Lesson 21: no workers load data, so no file descriptor is used up by tensors that they hand on."""
    config = SftConfig.model_validate({"model": "m", "output": tmp_path, "data": ["d"]})
    assert training_arguments(config, tmp_path)["dataloader_num_workers"] == 0
