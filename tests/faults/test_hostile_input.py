"""S3, S4, S5, S12, F12, F14, F23 for a cleaning run: names, rows, patterns and damage that somebody meant badly."""

import json
import shutil
import time

import pytest

import cli
from tests.faults.conftest import clean_arguments, content, run_here, work_here
from tests.support.cleaning import batch_of

NAMES = ["a;touch X.jsonl", "$(touch X).jsonl", "`touch X`.jsonl", "-rf.jsonl", "two\nlines.jsonl", "'\"<script>.jsonl"]
NAMES += ["a..jsonl", "%2e%2e%2f.jsonl", "*.jsonl", "长" * 60 + ".jsonl"]
SCRIPT = "<script>alert(1)</script>"


def clean(source, run, *settings):
    chosen = clean_arguments(source, f"output={run}", "workers=1", "quarantine_limit=1", *settings)
    return cli.main([*chosen, "--quiet"])


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_hostile_names_links_and_rows_of_one_input(tmp_path, monkeypatch, capfd):
    """Every file is read under its own name and nothing else happens; each odd row has one answer."""
    monkeypatch.chdir(tmp_path)
    source, run = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for number, name in enumerate(NAMES):
        row = {"instruction": f"{name} {number}", "output": f"{SCRIPT} answer {number}"}
        (source / name).write_text(json.dumps(row) + "\n")
    (tmp_path / "outside.jsonl").write_text('{"instruction": "secret", "output": "of somebody"}\n')
    (source / "link.jsonl").symlink_to(tmp_path / "outside.jsonl")
    odd = [
        b'\xef\xbb\xbf{"instruction": "bom", "output": "kept"}',
        b'{"instruction": "nan", "output": "x", "n": NaN}',
        b'{"instruction": "twice", "output": "one", "output": "two"}',
        b'{"instruction": "drift", "output": ["a", 1]}',
        b'{"instruction": "drift", "output": 7}',
    ]
    (source / "odd.jsonl").write_bytes(b"\n".join(odd))

    assert clean(source, run) == 0
    counts = json.loads((run / "manifest.json").read_text())["counts"]
    assert set(counts["by_file"]) == {*NAMES, "odd.jsonl"}
    assert counts["in"] == len(NAMES) + len(odd)
    assert all(len(lines(run / "good" / name)) == 1 for name in NAMES)
    assert [row["instruction"] for row in lines(run / "good" / "odd.jsonl")] == ["bom"]
    errors = [row["error"] for row in lines(run / "quarantine" / "odd.jsonl")]
    assert [any(word in error for word in ("NaN", "twice", "output")) for error in errors] == [True] * 4
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["in", "out", "outside.jsonl"]
    told = capfd.readouterr().err
    assert "link.jsonl" in told and "leads outside" in told
    assert SCRIPT not in (run / "report.html").read_text()
    assert not [path for path in run.rglob("*") if path.is_file() and b"of somebody" in path.read_bytes()]


def test_damaged_parts_are_computed_again_alone(tmp_path, rows, calm):
    run = tmp_path / "out"
    shutil.copytree(calm, run)
    (run / "manifest.json").unlink()  # as after a kill
    parts = sorted((run / "run" / "work" / "first-pass").glob("*.parquet"))
    before = {part: part.read_bytes() for part in parts}
    flipped, cut = before[parts[3]], before[parts[7]]
    parts[3].write_bytes(flipped[:200] + bytes([flipped[200] ^ 1]) + flipped[201:])
    parts[7].write_bytes(cut[:-40])
    reports = {path: path.read_bytes() for path in (run / "run" / "reports").glob("*.json")}
    run_here(clean_arguments(rows, f"output={run}"))
    assert {part: part.read_bytes() for part in parts} == before
    assert {path: path.read_bytes() for path in reports} == reports
    assert f"pass 1: {len(parts) - 2} of {len(parts)} units were done before" in (run / "run" / "log.txt").read_text()
    assert content(run) == content(calm)


def test_an_edited_policy_or_list_is_named_and_refused(tmp_path, rows, monkeypatch, capfd):
    policy, phrases = tmp_path / "mine.yaml", tmp_path / "phrases.txt"
    work_here(monkeypatch)

    def again(characters, phrase):
        rules = [{"rule": "minimum_length", "characters": characters}, {"rule": "blacklist", "lists": [str(phrases)]}]
        policy.write_text(json.dumps({"rules": rules}))
        phrases.write_text(phrase)
        return clean(rows, tmp_path / "out", f"policy={policy}")

    assert again(1, "bad phrase") == again(1, "bad phrase") == 0
    capfd.readouterr()
    assert again(2, "bad phrase") == again(1, "other phrase") == 2
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 2 and all("--accept-changes" in line and "a run with config policy." in line for line in told)
    assert "policy.minimum_length.characters: 1 → 2 " in told[0] and "policy.blacklist.digest: " in told[1]


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|a)*b", r"(?:a?){200}a{200}$"])
def test_users_patterns_take_linear_time(pattern):
    rule = {"rule": "field", "fields": ["tag"], "pattern": pattern}
    began = time.process_time()
    batch_of([{"instruction": "q", "output": "b", "tag": "a" * 20_000 + "!"}], "alpaca", rule)
    assert time.process_time() - began < 20, "backtracking would take 2^20000 steps"


@pytest.mark.parametrize("pattern", [r"(.)\1", r"(?=a)b", "x{1000}{1000}{1000}", "("])
def test_patterns_that_no_linear_engine_takes_are_refused(tmp_path, rows, capfd, pattern):
    policy = tmp_path / "mine.yaml"
    policy.write_text(json.dumps({"rules": [{"rule": "field", "fields": ["tag"], "pattern": pattern}]}))
    assert clean(rows, tmp_path / "out", f"policy={policy}") == 2
    told = capfd.readouterr().err
    assert len(told.splitlines()) == 1 and "mine.yaml" in told and "pattern" in told
