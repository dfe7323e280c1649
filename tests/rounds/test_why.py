"""A row's story from hand-made run directories: every stage, prefixes of ids, runs that were moved."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rounds.why import story, told
from utils.data.ledger import decisions_table, ledger_table, write_decisions, write_ledger
from utils.errors import UserError

ROW, OTHER, HELD, PAIR = "aaaaaa1" + "0" * 25, "aaaaaa2" + "0" * 25, "bbbbbb" + "0" * 26, "cccccc" + "0" * 26
STAGES = ["clean", "attributes", "tier", "sft", "candidates", "judge", "pairs", "dpo", "evaluate", "export"]


def finished(root: Path, verb: str, *parents: str) -> Path:
    """Make a finished run; `parents` are recorded by their absolute paths."""
    run = root / "steps" / verb
    (run / "run").mkdir(parents=True)
    (run / "run" / "key.json").write_text("{}")
    seal = {"sha256": (verb.encode().hex() * 16)[:64], "bytes": 1}
    manifest = {
        "verb": verb,
        "started": f"2026-01-{STAGES.index(verb) + 1:02}T00:00:00+00:00",
        "parents": [str(root / "steps" / parent) for parent in parents],
        "outputs": {"model/model.safetensors" if verb in {"sft", "dpo"} else "table.parquet": seal},
    }
    (run / "manifest.json").write_text(json.dumps(manifest))
    return run


def decided(run: Path, into: dict[str, str | None], why: str = "no_band") -> None:
    (run / "ledger").mkdir()
    rows = [
        {"id": row, "status": "kept" if to else "dropped", "reasons": [] if to else [why], "into": to}
        for row, to in into.items()
    ]
    write_decisions(decisions_table(rows), run / "ledger" / "decisions.parquet")


def table(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(rows).write_parquet(path)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A whole round: ROW is trained on as a pair and nowhere else, HELD is held out, OTHER is dropped."""
    root = tmp_path / "o[u]t*"
    clean = finished(root, "clean")
    place = {"source": "s", "source_file": "raw.jsonl", "status": "kept", "reasons": []}
    rows = [{"id": row, "source_row": number, **place} for number, row in enumerate((ROW, OTHER, HELD))]
    rows[0]["edits"] = [{"rule": "strip_html", "count": 2}]
    (clean / "ledger").mkdir()
    write_ledger(ledger_table(rows), clean / "ledger" / "part-00000.parquet")
    measured = [{"id": row, "tokens_estimate": 7} for row in (ROW, OTHER, HELD)]
    table(finished(root, "attributes", "clean") / "attributes/text_statistics/part-00000.parquet", measured)
    into = {ROW: "seeds/round-1", OTHER: None, HELD: "held_out"}
    decided(finished(root, "tier", "clean", "attributes"), into)
    decided(finished(root, "sft", "tier"), {})
    candidates = [{"prompt_id": ROW, "model": "sft"}, {"prompt_id": ROW, "model": "sft"}]
    table(finished(root, "candidates", "tier", "sft") / "candidates.parquet", candidates)
    judged = [{"prompt_id": ROW, "score": score, "valid": score is not None} for score in (1.0, 0.0, None)]
    table(finished(root, "judge", "candidates") / "judgements.parquet", judged)
    pairs = finished(root, "pairs", "candidates", "judge")
    decided(pairs, {ROW: "pairs"})
    table(pairs / "pairs.parquet", [{"id": PAIR, "provenance": json.dumps({"prompt_id": ROW})}])
    decided(finished(root, "dpo", "sft", "pairs"), {PAIR: "dpo"})
    answers = [{"id": HELD, "model": model, "score": score} for model, score in (("sft", 0.0), ("dpo", 1.0))]
    table(finished(root, "evaluate", "tier", "sft", "dpo") / "answers.parquet", answers)
    return root


def test_the_whole_story(made: Path) -> None:
    events = story(ROW, [made])
    assert [event["stage"] for event in events] == [
        *("clean", "attributes", "tier", "candidates", "judge", "pairs", "dpo", "checkpoint")
    ]
    by_stage = {event["stage"]: event for event in events}
    assert by_stage["clean"]["what"] == "raw.jsonl row 0: kept"
    assert by_stage["clean"]["edits"] == {"strip_html": 2}
    assert by_stage["attributes"]["tokens_estimate"] == 7
    assert by_stage["tier"]["what"] == "kept → seeds/round-1"
    assert by_stage["candidates"]["what"] == "2 answers"
    assert (by_stage["judge"]["what"], by_stage["judge"]["scores"]) == ("2 of 3 valid", [1.0, 0.0])
    assert by_stage["dpo"]["what"] == "kept → dpo"
    assert by_stage["checkpoint"]["what"].endswith("model: trained on it")
    assert "strip_html" in told(events)


def test_a_held_out_row_ends_with_its_answers(made: Path) -> None:
    last = story(HELD, [made])[-1]
    assert last == {
        "stage": "evaluate",
        "run": str(made / "steps" / "evaluate"),
        "what": "2 answers",
        "models": {"dpo": 1.0, "sft": 0.0},
    }
    assert story(HELD, [made / "steps" / "evaluate"]) == [last]


def test_a_model_that_continues_one_trained_on_the_row(made: Path) -> None:
    shutil.rmtree(made / "steps" / "sft" / "ledger")
    decided(made / "steps" / "sft", {OTHER: "sft"})
    events = story(OTHER, [made])
    assert [event["what"].rpartition(": ")[2] for event in events if event["stage"] == "checkpoint"] == [
        "trained on it",
        "continues such a model",
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [("aaaaa", "too short"), ("aaaaaa", "2 ids begin with 'aaaaaa'"), ("dddddd", "no finished run knows a row")],
)
def test_a_prefix_that_names_no_row(made: Path, row: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        story(row, [made])


def test_a_prefix_of_one_id_is_enough(made: Path) -> None:
    assert story("aaaaaa1", [made]) == story(ROW, [made])


def stages(row: str, *roots: Path) -> list[str]:
    return [event["stage"] for event in story(row, list(roots))]


def test_moved_runs_know_their_parents(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = stages(ROW, made)
    moved = made.rename(tmp_path / "moved")
    monkeypatch.chdir("/")
    assert stages(ROW, moved) == before
    copied = Path(shutil.copytree(moved, tmp_path / "copied"))
    runs = {event["run"] for event in story(ROW, [moved, copied]) if event["stage"] == "checkpoint"}
    assert runs == {str(place / "steps" / "dpo") for place in (moved, copied)}


def test_a_copy_beside_its_original(made: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(made, tmp_path / "copied"))
    assert stages(ROW, copied) == stages(ROW, made)


def test_a_run_of_the_same_name_is_no_parent(made: Path, tmp_path: Path) -> None:
    foreign = Path(shutil.copytree(made, tmp_path / "foreign"))
    shutil.rmtree(foreign / "steps" / "sft" / "ledger")
    decided(foreign / "steps" / "sft", {OTHER: "sft"})
    manifest = json.loads((foreign / "steps" / "sft" / "manifest.json").read_text())
    manifest["outputs"]["model/model.safetensors"]["sha256"] = "f" * 64
    (foreign / "steps" / "sft" / "manifest.json").write_text(json.dumps(manifest))
    told_of = [event["what"] for event in story(OTHER, [foreign]) if event["stage"] == "checkpoint"]
    assert [what.rpartition(": ")[2] for what in told_of] == ["trained on it"]


def test_exports_say_into_which_set_or_why_not(made: Path) -> None:
    def exported(row: str) -> list[tuple[str, list[str]]]:
        return [(event["what"], event["reasons"]) for event in story(row, [made]) if event["stage"] == "export"]

    run = finished(made, "export", "tier")
    decided(run, {ROW: "seeds-round-1", OTHER: None}, "unknown_licence")
    assert exported(OTHER) == [("dropped", ["unknown_licence"])]
    assert exported(ROW) == [("kept → seeds-round-1", [])]
    assert exported(HELD) == []
    shutil.rmtree(run)
    decided(finished(made, "export", "pairs"), {PAIR: "pairs"})
    assert exported(ROW) == [("kept → pairs", [])]
