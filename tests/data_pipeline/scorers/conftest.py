"""A scorer, trained once on two languages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import cli

sys.path.append(str(Path(__file__).parent))  # for `scorer_rows`

from scorer_rows import rows, written


@pytest.fixture(scope="session")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("labels") / "labels.jsonl", rows())


@pytest.fixture(scope="session")
def scorer(labels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scorers") / "difficulty"
    argv = ["attributes", "fit", "--labels", str(labels), "--target", "difficulty", "--output", str(folder)]
    assert cli.main(argv) == 0
    return folder
