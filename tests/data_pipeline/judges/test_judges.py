"""A failure is invalid with its reason and never a score (F17); stored preferences are for one text only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pyarrow.parquet as pq
import pytest
from stages import jsonl, run

from data_pipeline.judges.kinds import JudgeKind
from data_pipeline.judges.kinds.stored import StoredJudge
from data_pipeline.judges.kinds.verdict import Verdict
from data_pipeline.judges.kinds.verifier import VerifierJudge

ROOT = Path(__file__).resolve().parents[3]


def candidate(text: str, **more: Any) -> dict[str, Any]:
    return {"text": text, "model": "m", "reference": None, "stored_key": None, **more}


def test_verifier_judge() -> None:
    config = VerifierJudge.model_validate({"kind": "verifier", "verifier": {"kind": "numeric"}})
    answers = [
        candidate("7", reference="7"),
        candidate("8", reference="7"),
        candidate("7"),
        candidate("7", reference="x"),
    ]
    with config.open() as judge:
        verdicts = judge.judge(answers)
    assert verdicts == [
        Verdict(1.0),
        Verdict(0.0),
        Verdict(None, "the seed has no reference"),
        Verdict(None, "the reference holds no number"),
    ]


def test_stored_judge(tmp_path: Path) -> None:
    stored = [
        {"prompt_id": 0, "generator": "m", "output": "a", "preference": 1.25},
        {"prompt_id": 1, "generator": "m", "output": "b", "preference": 2.5},
        {"prompt_id": 2, "generator": "m", "output": "c", "preference": None},
        {"prompt_id": 3, "generator": "m", "output": "d", "preference": 2.0},
    ]
    config = StoredJudge(kind="stored", file=jsonl(tmp_path / "preferences.jsonl", stored))
    keyed = [candidate(text, stored_key=str(key)) for key, text in enumerate("abcx")]
    with config.open() as judge:
        quarter, over, none, other, generated = judge.judge([*keyed, candidate("a")])
    assert quarter == Verdict(0.25)
    assert over.score is None
    assert "2.5 is not in 1.0..2.0" in over.detail
    assert none == Verdict(None, "the stored preference is no number: None")
    assert other == Verdict(None, "no stored preference")  # the preference was for "d", not for "x"
    assert generated == Verdict(None, "not a replayed answer")


@pytest.mark.parametrize("preference", [float("nan"), float("inf"), True, "1.5", 0.99])
def test_no_stored_nonsense_becomes_a_score(preference: Any) -> None:
    assert not StoredJudge(kind="stored", file=Path("x")).score(preference).valid


def test_a_verdict_is_a_number_or_has_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        Verdict(None)
    with pytest.raises(ValueError, match="nan"):
        Verdict(float("nan"), "x")


def test_the_run_counts_invalid_ones_apart_and_resumes(tmp_path: Path) -> None:
    rows = [{"id": number, "question": f"{number} + 1?", "right": number + 1} for number in range(10)]
    seeds = [{"prompt": row["question"], "completion": str(row["right"])} for row in rows]
    answers = [
        {"prompt_id": row["question"], "model": "m", "text": str(row["right"] if row["id"] % 2 else 0)} for row in rows
    ]
    replay = {"kind": "replay", "file": str(jsonl(tmp_path / "a.jsonl", answers)), "seed_key": "prompt"}
    no_reference = {"prompt": "Who?", "completion": " "}
    asked = {
        "seeds": str(jsonl(tmp_path / "s.jsonl", [*seeds, no_reference])),
        "output": str(tmp_path / "candidates"),
        "models": [replay, {**replay, "file": str(jsonl(tmp_path / "b.jsonl", [
            {"prompt_id": "Who?", "model": "n", "text": "me"}])), "only": ["n"]}],
    }  # fmt: skip
    assert run("candidates", asked, tmp_path) == 0
    output = tmp_path / "judgements"
    judged = {
        "candidates": asked["output"],
        "output": str(output),
        "judge": {"kind": "verifier", "verifier": {"kind": "exact"}},
        "batch_size": 4,
    }
    assert run("judge", judged, tmp_path) == 3  # one of eleven is invalid: over quarantine_limit
    counts = json.loads((output / "manifest.json").read_text())["counts"]
    assert (counts["in"], counts["kept"], counts["dropped"], counts["quarantined"]) == (11, 10, 0, 1)
    assert counts["invalid"] == {"the seed has no reference": 1}
    table = pq.read_table(output / "judgements.parquet")
    assert sum(score or 0 for score in table["score"].to_pylist()) == 5
    assert table["valid"].to_pylist() == [score is not None for score in table["score"].to_pylist()]

    (output / "manifest.json").unlink()
    lost = sorted(output.glob("run/work/verdicts-*.parquet"))[0]
    kept = {path: path.stat().st_ino for path in output.glob("run/work/*.parquet") if path != lost}
    lost.unlink()
    assert run("judge", judged, tmp_path) == 3
    assert {path: path.stat().st_ino for path in kept} == kept
    assert pq.read_table(output / "judgements.parquet").equals(table)


def test_files_and_union_agree() -> None:
    files = {path.stem for path in (ROOT / "data_pipeline/judges/kinds").glob("*.py")} - {"__init__", "verdict"}
    assert files == {get_args(m.model_fields["kind"].annotation)[0] for m in get_args(get_args(JudgeKind)[0])}
