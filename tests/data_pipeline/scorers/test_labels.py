"""What is no set of labels is refused in one line, and `--dry-run` says what a file holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scorer_rows import rows, written

import cli


def refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(["attributes", "fit", "--target", "x", *argv]) == 2
    told = capsys.readouterr().err.strip()
    assert "\n" not in told
    return told


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda some: some[:49], "49 labelled rows"),
        (lambda some: [row | {"label": 1} for row in some], "every label is 1"),
        (lambda some: [*some[:70], {k: v for k, v in some[70].items() if k != "label"}], "row 71: no `label`"),
        (lambda some: [*some[:70], some[70] | {"label": None}], "row 71: no `label`"),
        (lambda some: [*some[:70], some[70] | {"label": "hard"}], "some labels are numbers and some are texts"),
        (lambda some: [{"label": row["label"], "x": 1} for row in some], "unknown format"),
    ],
)
def test_a_file_that_cannot_be_learned_from(
    change: Any, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "labels.jsonl", change(rows()))
    assert message in refused(["--labels", str(file), "--output", str(tmp_path / "out")], capsys)
    assert not (tmp_path / "out").exists()


def test_no_such_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(["--labels", str(tmp_path / "none.jsonl"), "--output", str(tmp_path / "out")], capsys)
    assert "none.jsonl" in told


def test_a_scorer_is_never_written_over(labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    told = refused(["--labels", str(labels), "--output", str(tmp_path / "out")], capsys)
    assert "something is there already" in told


def test_an_embedding_model_that_is_not_there(labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--labels", str(labels), "--output", str(tmp_path / "out"), "--embedding", str(tmp_path / "model")]
    assert "no sentence-transformers model here" in refused(argv, capsys)


def test_dry_run_says_rows_classes_and_formats(labels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["attributes", "fit", "--labels", str(labels), "--target", "x", "--dry-run"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rows"] == told["different_prompts"] == 160
    assert told["labels"] == {"0": 80, "1": 80}
    assert told["formats"] == ["alpaca"]
    assert told["languages"] == {"en": 80, "zh": 80}
