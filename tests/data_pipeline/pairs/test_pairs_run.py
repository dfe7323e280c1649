"""From candidates to pairs through run directories, and the real AlpacaEval answers."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from stages import jsonl, run

from utils.data.records import PREFERENCE_SCHEMA, content_id
from utils.data.streaming import iter_preferences

ROOT = Path(__file__).resolve().parents[3]
ALPACA = ROOT.parent / "shared" / "data" / "alpaca_eval"


@pytest.fixture
def judged(tmp_path: Path) -> dict[str, Any]:
    """Three sums: one that a model solves, one that none does, one that all do."""
    seeds = [{"prompt": f"{n} + 1?", "completion": str(n + 1)} for n in range(3)]
    said = {"a": ["1", "9", "3"], "b": ["8", "8", "3."]}
    answers = [
        {"prompt_id": f"{n} + 1?", "model": model, "text": text}
        for model, texts in said.items()
        for n, text in enumerate(texts)
    ]
    replay = {"kind": "replay", "file": str(jsonl(tmp_path / "a.jsonl", answers)), "seed_key": "prompt"}
    candidates, judgements = tmp_path / "candidates", tmp_path / "judgements"
    asked = {"seeds": str(jsonl(tmp_path / "s.jsonl", seeds)), "output": str(candidates), "models": [replay]}
    assert run("candidates", asked, tmp_path) == 0
    judge = {"kind": "verifier", "verifier": {"kind": "numeric"}}
    assert run("judge", {"candidates": str(candidates), "output": str(judgements), "judge": judge}, tmp_path) == 0
    return {"candidates": str(candidates), "judgements": str(judgements), "rule": {"kind": "best_worst"}}


def test_pairs_decisions_and_card(judged: dict[str, Any], tmp_path: Path) -> None:
    output = tmp_path / "pairs"
    made = {**judged, "output": str(output), "include_reference_as_chosen": True}
    assert run("pairs", made, tmp_path) == 0
    assert pq.read_schema(output / "pairs.parquet").equals(PREFERENCE_SCHEMA)
    pairs = {pair.prompt[0].content: pair for pair in iter_preferences(output / "pairs.parquet")}
    assert (pairs["0 + 1?"].chosen[0].content, pairs["0 + 1?"].rejected[0].content) == ("1", "8")
    assert pairs["1 + 1?"].chosen[0].content == "2"  # nobody was right: the reference
    assert "2 + 1?" not in pairs
    provenance = pairs["0 + 1?"].provenance
    assert provenance["judge"] == "verifier/numeric"
    assert (provenance["gap"], provenance["models"]) == (1.0, {"chosen": "a", "rejected": "b"})
    lines = [json.loads(line) for line in (output / "pairs.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == sorted(pair.id for pair in pairs.values())
    assert lines[0]["chosen"][0]["role"] == "assistant"
    decisions = {row["id"]: row for row in pq.read_table(output / "ledger/decisions.parquet").to_pylist()}
    assert sorted(row["status"] for row in decisions.values()) == ["dropped", "kept", "kept"]
    assert [row["reasons"] for row in decisions.values() if row["status"] == "dropped"] == [["all_equal"]]
    assert {pair.provenance["prompt_id"] for pair in pairs.values()} < set(decisions)
    card = json.loads((output / "card.json").read_text())
    assert (card["pairs"], card["reference_chosen"], card["without_pair"]) == (2, 0.5, {"all_equal": 1})


def test_judgements_of_other_candidates_are_refused(
    judged: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pl.read_parquet(Path(judged["judgements"]) / "judgements.parquet")
    other = tmp_path / "other.parquet"
    table.with_columns(candidate_id=pl.lit("x") + pl.col("candidate_id")).write_parquet(other)
    assert run("pairs", {**judged, "judgements": str(other), "output": str(tmp_path / "pairs")}, tmp_path) == 2
    assert "no judgement belongs to these candidates" in capsys.readouterr().err


@pytest.mark.skipif(not ALPACA.is_dir(), reason="the real AlpacaEval answers are not here")
def test_alpaca_eval_replayed(tmp_path: Path) -> None:
    """805 prompts, 37 models: the join is complete, and the mean score is the published win rate."""
    replay = {
        "kind": "replay",
        "file": str(ALPACA / "responses.parquet"),
        "seed_key": "prompt_id",
        "model_field": "generator",
        "text_field": "output",
    }
    candidates, judgements, pairs = (tmp_path / name for name in ("candidates", "judgements", "pairs"))
    seeds = {"seeds": str(ALPACA / "prompts.parquet"), "text_field": "prompt"}
    assert run("candidates", {**seeds, "output": str(candidates), "models": [replay]}, tmp_path) == 0
    judge = {"kind": "stored", "file": str(ALPACA / "responses.parquet")}
    assert run("judge", {"candidates": str(candidates), "output": str(judgements), "judge": judge}, tmp_path) == 0

    table = pl.read_parquet(candidates / "candidates.parquet")
    stored = pl.read_parquet(ALPACA / "responses.parquet")
    assert table.height == stored.height == 29776
    assert (table["prompt_id"].n_unique(), table["model"].n_unique()) == (805, 37)
    prompts = pl.read_parquet(ALPACA / "prompts.parquet")
    joined = table.with_columns(no=pl.col("stored_key").cast(pl.Int64)).join(
        prompts, left_on="no", right_on="prompt_id", how="inner"
    )
    assert joined.height == table.height
    assert (joined["prompt"].list.first().struct.field("content") == joined["prompt_right"]).all()

    scores = pl.read_parquet(judgements / "judgements.parquet")
    rates = table.join(scores, on="candidate_id").group_by("model").agg(pl.col("score").mean() * 100)
    ours = dict(rates.iter_rows())
    with (ALPACA / "leaderboard.csv").open(encoding="utf-8") as file:
        published = {row[""]: float(row["win_rate"]) for row in csv.DictReader(file)}
    assert len(ours.keys() & published.keys()) >= 36
    for model in ours.keys() & published.keys():
        assert ours[model] == pytest.approx(published[model], abs=1e-6), model

    rule = {"kind": "mean_sigma", "sigma": 1.0}
    both = {"candidates": str(candidates), "judgements": str(judgements), "minimum_gap": 0.3}
    assert run("pairs", {**both, "output": str(pairs), "rule": rule}, tmp_path) == 0
    card = json.loads((pairs / "card.json").read_text())
    assert card["pairs"] + sum(card["without_pair"].values()) == 805
    assert card["pairs"] > 700
    assert "NullModel" not in card["chosen_models"]  # it says the same to everybody and still "wins"
    assert all(content_id(pair.prompt) for pair in iter_preferences(pairs / "pairs.parquet"))
