"""`posttrain clean sample`, `posttrain clean review` and `posttrain why ID --diff`, as somebody types them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

import cli
from cleaning.replay import ledger
from tests.cleaning.conftest import made_run
from tests.support.cleaning import lines, write_rows


def said(capsys: pytest.CaptureFixture[str], *words: str | Path, code: int = 0) -> str:
    """Run a command; return its stdout, or its stderr when it fails."""
    capsys.readouterr()
    assert cli.main([str(word) for word in words]) == code
    told = capsys.readouterr()
    assert code == 0 or (not told.out and told.err.count("\n") == 1), "one line, and nothing else"
    return told.err if code else told.out


def test_sample_draws_per_rule_to_stdout_or_into_a_new_file(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = [json.loads(line) for line in said(capsys, "clean", "sample", finished, "--per-rule", "2").splitlines()]
    assert [line["rule"] for line in shown].count("html") == 2
    one = said(capsys, "clean", "sample", finished, "--rule", "html", "--per-rule", "30", "--output", tmp_path / "x")
    assert one == "" and [line["rule"] for line in lines(tmp_path / "x")] == ["html"] * 4
    before = (tmp_path / "x").read_bytes()
    assert "cannot be written" in said(capsys, "clean", "sample", finished, "--output", tmp_path / "x", code=2)
    assert (tmp_path / "x").read_bytes() == before
    assert "url" in said(capsys, "clean", "sample", finished, "--rule", "url", "--output", tmp_path / "y", code=2)
    assert not (tmp_path / "y").exists()


def test_sample_takes_the_newest_run_below_runs(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "no finished cleaning run there" in said(capsys, "clean", "sample", code=2)
    for name, when in (("old", "2001"), ("new", "2002"), ("other", "2003")):
        (tmp_path / "runs" / name).mkdir(parents=True)
        told = {"verb": "tier" if name == "other" else "clean", "finished": when}
        (tmp_path / "runs" / name / "manifest.json").write_text(json.dumps(told))
    for name in ("ledger", "run"):
        shutil.copytree(finished / name, tmp_path / "runs" / "new" / name)
    assert len(said(capsys, "clean", "sample").splitlines()) == 11


def test_a_filled_sample_becomes_precision_per_rule_and_entry(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lines that a run gives, one of them judged twenty times: enough for it, and for its entries."""
    said(capsys, "clean", "sample", finished, "--output", tmp_path / "drawn")
    drawn = lines(tmp_path / "drawn")
    (listed,) = (line for line in drawn if line["rule"] == "blacklist")
    judged = [{**line, "review_verdict": "right"} for line in drawn if line["rule"] == "html"]
    judged += [{**listed, "entries": ["poker=>gambling"], "review_verdict": "wrong"}] * 20
    judged += [{**listed, "entries": ["casino=>gambling"], "review_verdict": "wrong"}] * 19
    write_rows(tmp_path / "filled", [*judged, drawn[0]])
    shown = said(capsys, "clean", "review", tmp_path / "filled").splitlines()
    assert shown[-1] == "1 lines without a verdict"
    told = {tuple(line.split()[:3]): line for line in shown[:-1]}
    assert (
        told["rule", "html", "n=4"].endswith("insufficient") and "1.000 [0.510, 1.000]" in told["rule", "html", "n=4"]
    )
    assert told["rule", "blacklist", "n=39"].endswith("measured")
    assert told["entry", "poker=>gambling", "n=20"].endswith("suspend")
    assert told["entry", "casino=>gambling", "n=19"].endswith("insufficient"), "nineteen suspend nothing"
    counted = json.loads(said(capsys, "clean", "review", tmp_path / "filled", "--json"))
    assert (counted["suspend"], counted["unreviewed"]) == (["poker=>gambling"], 1)
    assert {row["name"]: row["n"] for row in counted["rules_and_entries"]}["html"] == 4
    assert json.loads(said(capsys, "clean", "review", tmp_path / "filled", "--json", "--floor", "0"))["suspend"] == []


def test_the_samples_of_a_run_can_be_reviewed_too(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = finished / "small-sample100.jsonl"
    assert "no line has a verdict" in said(capsys, "clean", "review", sample, code=2)
    write_rows(tmp_path / "filled", [{**line, "review_verdict": "right"} for line in lines(sample)])
    told = [line.split()[1] for line in said(capsys, "clean", "review", tmp_path / "filled").splitlines()[:-1]]
    assert sorted(told) == sorted(
        ["kept", "blacklist", "exact_duplicate", "minimum_length", "near_duplicate", "reference_duplicate"]
    )


def test_why_shows_what_each_rule_did(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ledger(finished).filter(pl.col("source_file") == "a.jsonl").sort("source_row").collect()
    ids = rows["id"].to_list()
    shown = said(capsys, "why", ids[1], "--run", finished, "--diff").splitlines()
    assert "a.jsonl row 1: kept" in shown[0]
    assert shown[2:] == [
        f"{finished}: a.jsonl row 1: kept",
        "  valid_characters (assistant)",
        "    -请打\u200b电话 13800138000 找我。",
        "    +请打电话 13800138000 找我。",
        "  personal_data (assistant)",
        "    -请打电话 13800138000 找我。",
        "    +请打电话 <phone> 找我。",
    ]
    twice = said(capsys, "why", ids[0][:12], "--run", finished, "--diff")
    assert twice.count("    -<p>Tea is a drink.</p>") == 2, "the row and its copy, each once"
    assert "  hit blacklist: poker=>gambling" in said(capsys, "why", ids[4], "--run", finished, "--diff")
    assert "  no rule changed it" in said(capsys, "why", ids[8], "--run", finished, "--diff")
    events = json.loads(said(capsys, "why", ids[8], "--run", finished, "--diff", "--json"))
    assert [event["diff"] for event in events] == [[f"{finished}: a.jsonl row 8: kept", "  no rule changed it"]]


def test_why_says_when_the_input_is_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = made_run(tmp_path)
    given = ledger(run).collect().row(0, named=True)["id"]
    (tmp_path / "in" / "a.jsonl").write_text('{"instruction": "q", "output": "a"}\n')
    assert cli.main(["why", given, "--run", str(run), "--diff"]) == 2
    told = capsys.readouterr()
    assert "a.jsonl row 0" in told.out and "the input changed since the run" in told.err
