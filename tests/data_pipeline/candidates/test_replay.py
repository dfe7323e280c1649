"""Stored answers are candidates; what is missing or broken never becomes one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pyarrow.parquet as pq
import pytest
from stages import jsonl, run

from data_pipeline.candidates.kinds import CandidateModel

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def world(tmp_path: Path) -> dict[str, Any]:
    """Three questions; two models, of which one skipped a question and gave a number once."""
    questions = [{"no": number, "question": f"Question {number}?"} for number in range(3)]
    answers = [
        {"no": 0, "who": "good", "said": "zero"},
        {"no": 1, "who": "good", "said": "one"},
        {"no": 2, "who": "good", "said": "two"},
        {"no": 2, "who": "good", "said": "also two"},
        {"no": 0, "who": "poor", "said": 0},
        {"no": 1, "who": "poor", "said": ""},
    ]
    replay = {
        "kind": "replay",
        "file": str(jsonl(tmp_path / "answers.jsonl", answers)),
        "key_field": "no",
        "seed_key": "no",
        "model_field": "who",
        "text_field": "said",
    }
    return {
        "seeds": str(jsonl(tmp_path / "questions.jsonl", questions)),
        "text_field": "question",
        "output": str(tmp_path / "candidates"),
        "models": [replay],
        "quarantine_limit": 0.5,
    }


def rows_of(world: dict[str, Any]) -> list[dict[str, Any]]:
    return pq.read_table(Path(world["output"]) / "candidates.parquet").to_pylist()


def test_replay(world: dict[str, Any], tmp_path: Path) -> None:
    assert run("candidates", world, tmp_path) == 0
    said = {(row["stored_key"], row["model"], row["sample"]): (row["text"], row["flags"]) for row in rows_of(world)}
    assert said == {
        ("0", "good", 0): ("zero", []),
        ("1", "good", 0): ("one", []),
        ("2", "good", 0): ("also two", []),
        ("2", "good", 1): ("two", []),
        ("1", "poor", 0): ("", ["empty"]),
    }
    counts = json.loads((Path(world["output"]) / "manifest.json").read_text())["counts"]
    assert (counts["in"], counts["kept"], counts["dropped"], counts["quarantined"]) == (7, 5, 1, 1)
    assert counts["by_reason"] == {"no_stored_answer": 1}
    failed = json.loads((Path(world["output"]) / "quarantine/requests.jsonl").read_text())
    assert failed["error"] == "the stored answer is no text but int"


def test_join_by_the_text_of_the_prompt(world: dict[str, Any], tmp_path: Path) -> None:
    answers = [{"prompt_id": "Question  1?\n", "model": "good", "text": "one"}]
    file = jsonl(tmp_path / "by_text.jsonl", answers)
    world["models"] = [{"kind": "replay", "file": str(file), "seed_key": "prompt"}]
    assert run("candidates", world, tmp_path) == 0
    assert [(row["prompt"][0]["content"], row["text"]) for row in rows_of(world)] == [("Question 1?", "one")]


def test_our_own_candidates_can_be_replayed(world: dict[str, Any], tmp_path: Path) -> None:
    assert run("candidates", world, tmp_path) == 0
    first = rows_of(world)
    again = {**world, "output": str(tmp_path / "again")}
    again["models"] = [{"kind": "replay", "file": str(Path(world["output"]) / "candidates.parquet")}]
    assert run("candidates", again, tmp_path) == 0
    assert [row["candidate_id"] for row in rows_of(again)] == [row["candidate_id"] for row in first]


def test_two_pools_with_one_model_are_refused(
    world: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world["models"] *= 2
    world["models"][1] = {**world["models"][1], "batch_size": 2}
    assert run("candidates", world, tmp_path) == 2
    assert "two pools hold answers of 'good'" in capsys.readouterr().err


def test_a_missing_column_is_named(world: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world["models"][0]["text_field"] = "answer"
    assert run("candidates", world, tmp_path) == 2
    assert "no field 'answer'; it has no, who, said" in capsys.readouterr().err


def test_files_and_union_agree() -> None:
    files = {path.stem for path in (ROOT / "data_pipeline/candidates/kinds").glob("*.py")} - {"__init__", "reply"}
    assert files == {get_args(m.model_fields["kind"].annotation)[0] for m in get_args(get_args(CandidateModel)[0])}
