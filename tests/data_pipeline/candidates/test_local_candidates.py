"""A tiny real model answers; a killed run answers only what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from stages import jsonl, run

import data_pipeline.candidates.kinds.local as local
from utils.data.records import content_id
from utils.models.generate import LocalModel


def config(tasks: Path, model: Path, output: Path, **more: Any) -> dict[str, Any]:
    entry = {"kind": "local", "name": "tiny", "path": str(model), "samples": 2, "max_new_tokens": 8, "batch_size": 8}
    return {"seeds": str(tasks), "output": str(output), "models": [{**entry, "policy": True}], **more}


def test_answers_and_resume(tasks: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "candidates"
    made = config(tasks, tiny_model, output)
    assert run("candidates", made, tmp_path) == 0
    table = pq.read_table(output / "candidates.parquet")
    rows = table.to_pylist()
    assert len(rows) == 40  # 20 prompts, two samples each
    assert len({row["candidate_id"] for row in rows}) == 40
    assert [row["candidate_id"] for row in rows] == sorted(row["candidate_id"] for row in rows)
    assert all(row["policy"] and row["reference"] and len(row["revision"]) == 16 for row in rows)
    assert len({row["seed"] for row in rows}) == 3  # 20 prompts in batches of 8
    assert all(row["finish_reason"] in {"stop", "length"} and 1 <= row["tokens"] <= 8 for row in rows)
    decisions = pq.read_table(output / "ledger/decisions.parquet").to_pylist()
    assert {row["id"] for row in decisions} == {row["prompt_id"] for row in rows}

    asked: list[int] = []
    answer = LocalModel.answer

    def counted(self: LocalModel, prompts: Any, **options: Any) -> Any:
        asked.append(len(prompts))
        return answer(self, prompts, **options)

    monkeypatch.setattr(LocalModel, "answer", counted)
    (output / "manifest.json").unlink()
    next(output.glob("run/work/answers-*.parquet")).unlink()
    assert run("candidates", made, tmp_path) == 0
    assert len(asked) == 1
    assert asked[0] in {4, 8}
    assert pq.read_table(output / "candidates.parquet").equals(table)


def test_ids_are_those_of_the_records(tasks: Path, tiny_model: Path, tmp_path: Path) -> None:
    from utils.data.records import Message

    output = tmp_path / "candidates"
    assert run("candidates", config(tasks, tiny_model, output, limit=3), tmp_path) == 0
    rows = pq.read_table(output / "candidates.parquet").to_pylist()
    assert len({row["prompt_id"] for row in rows}) == 3
    for row in rows:
        messages = [Message(**message) for message in row["prompt"]]
        assert row["prompt_id"] == content_id([*messages, Message("assistant", row["reference"])])


def test_a_prompt_that_the_model_cannot_take_is_quarantined(tasks: Path, tiny_model: Path, tmp_path: Path) -> None:
    long = {"instruction": "plus " * 400, "input": "", "output": "1"}
    rows = [json.loads(line) for line in tasks.read_text(encoding="utf-8").splitlines()]
    seeds = jsonl(tmp_path / "seeds.jsonl", [*rows, long])
    output = tmp_path / "candidates"
    assert run("candidates", config(seeds, tiny_model, output), tmp_path) == 3  # over 1 % of the answers
    counts = json.loads((output / "manifest.json").read_text())["counts"]
    assert (counts["in"], counts["kept"], counts["quarantined"]) == (42, 40, 2)
    failed = [json.loads(line) for line in (output / "quarantine/requests.jsonl").read_text().splitlines()]
    assert [row["sample"] for row in failed] == [0, 1]
    assert "over the model's 128" in failed[0]["error"]


def test_one_model_in_memory_at_a_time(
    tasks: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    original = local.loaded

    def watched(path: Path, *, batch_size: int) -> Any:
        from contextlib import contextmanager

        @contextmanager
        def inner() -> Any:
            with original(path, batch_size=batch_size) as model:
                steps.append("load")
                yield model
            steps.append("free")

        return inner()

    monkeypatch.setattr(local, "loaded", watched)
    made = config(tasks, tiny_model, tmp_path / "candidates", limit=2)
    made["models"].append({**made["models"][0], "name": "other", "policy": False})
    assert run("candidates", made, tmp_path) == 0
    assert steps == ["load", "free", "load", "free"]


def test_two_models_of_one_name_are_refused(
    tasks: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = config(tasks, tiny_model, tmp_path / "candidates")
    made["models"] *= 2
    assert run("candidates", made, tmp_path) == 2
    assert "two models are called 'tiny'" in capsys.readouterr().err
