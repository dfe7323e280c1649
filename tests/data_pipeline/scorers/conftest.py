"""A scorer, trained once on two languages."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import cli
from data_pipeline.scorers import models

sys.path.append(str(Path(__file__).parent))  # for `scorer_rows`

from scorer_rows import rows, written


@pytest.fixture(scope="session", autouse=True)
def few_trees() -> Iterator[None]:
    """Let the forests of these tests be small: twelve are trained for each scorer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "TREES", 20)
        yield


@pytest.fixture(scope="session")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("labels") / "labels.jsonl", rows())


@pytest.fixture(scope="session")
def scorer(few_trees: None, labels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scorers") / "difficulty"
    argv = ["attributes", "fit", "--labels", str(labels), "--target", "difficulty", "--output", str(folder)]
    assert cli.main(argv) == 0
    return folder
