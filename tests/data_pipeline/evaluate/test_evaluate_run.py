"""Two tiny real models do held-out tasks; a killed evaluation does only what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from stages import jsonl, run

from utils.models.generate import LocalModel


def config(tasks: Path, model: Path, output: Path) -> dict[str, Any]:
    models = [{"name": "first", "path": str(model)}, {"name": "second", "path": str(model)}]
    return {
        "tasks": str(tasks),
        "models": models,
        "output": str(output),
        "verifier": {"kind": "contains"},
        "max_new_tokens": 8,
        "batch_size": 8,
        "quarantine_limit": 0.2,
    }


def test_metrics_and_resume(tasks: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "evaluation"
    made = config(tasks, tiny_model, output)
    assert run("evaluate", made, tmp_path) == 0
    numbers = json.loads((output / "metrics.json").read_text())
    first, second = numbers["models"]
    assert (first["n"], sum(lang["n"] for lang in first["by_language"].values())) == (20, 20)
    assert {**first, "name": ""} == {**second, "name": ""}  # the same weights, greedily
    assert numbers["comparisons"] == [{"before": "first", "after": "second", "n": 20, "gained": 0, "lost": 0, "p": 1.0}]
    assert 5 < first["loss"] < 7  # untrained: near ln 320 = 5.77
    assert first["loss_tokens"] == 40  # one digit and the end token each
    table = pq.read_table(output / "answers.parquet")
    assert table.num_rows == 40

    batches: list[int] = []
    answer = LocalModel.answer

    def counted(self: LocalModel, prompts: Any, **options: Any) -> Any:
        batches.append(len(prompts))
        return answer(self, prompts, **options)

    monkeypatch.setattr(LocalModel, "answer", counted)
    (output / "manifest.json").unlink()
    next(output.glob("run/work/evaluated-*.parquet")).unlink()
    assert run("evaluate", made, tmp_path) == 0
    assert len(batches) == 1
    assert pq.read_table(output / "answers.parquet").equals(table)


def test_what_is_no_task_and_what_does_not_fit(tasks: Path, tiny_model: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in tasks.read_text(encoding="utf-8").splitlines()]
    rows += [
        {"instruction": "No answer to this?", "input": "", "output": " "},
        {"instruction": "plus " * 400, "input": "", "output": "1"},
    ]
    output = tmp_path / "evaluation"
    made = config(jsonl(tmp_path / "more.jsonl", rows), tiny_model, output)
    assert run("evaluate", made, tmp_path) == 0
    counts = json.loads((output / "manifest.json").read_text())["counts"]
    assert (counts["in"], counts["kept"], counts["dropped"], counts["quarantined"]) == (44, 40, 2, 2)
    assert counts["by_reason"] == {"no_reference": 2}
    assert json.loads((output / "metrics.json").read_text())["models"][0]["n"] == 20


def test_tasks_without_answers_are_refused(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = jsonl(tmp_path / "none.jsonl", [{"instruction": "Who?", "input": "", "output": ""}])
    assert run("evaluate", config(tasks, tiny_model, tmp_path / "evaluation"), tmp_path) == 2
    assert "no_reference" in capsys.readouterr().err
