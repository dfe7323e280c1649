"""Fingerprints of inputs and code."""

import pytest

import posttrain_root
from utils.errors import UserError
from utils.runs.commit import replace_json
from utils.runs.manifest import code_files, digest, fingerprint, outputs


def test_digest_ignores_key_order():
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})
    assert digest({"a": 1}) != digest({"a": "1"})


def test_fingerprint_of_files_is_their_content(tmp_path):
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("same")
    assert fingerprint(tmp_path / "x")["sha256"] == fingerprint(tmp_path / "y")["sha256"]
    (tmp_path / "y" / "a.txt").write_text("other")
    assert fingerprint(tmp_path / "x")["sha256"] != fingerprint(tmp_path / "y")["sha256"]


def test_an_unfinished_run_is_no_input(tmp_path):
    replace_json(tmp_path / "run" / "key.json", {})
    with pytest.raises(UserError, match="posttrain resume"):
        fingerprint(tmp_path)


def test_a_finished_run_counts_by_its_outputs_not_its_times(tmp_path):
    for name, finished in (("x", "now"), ("y", "later")):
        replace_json(tmp_path / name / "run" / "key.json", {})
        seals = {"good/a.jsonl": {"sha256": "aa", "bytes": 3}}
        manifest = {"outputs": seals, "verb": "clean", "key": "k", "finished": finished}
        replace_json(tmp_path / name / "manifest.json", manifest)
    assert fingerprint(tmp_path / "x")["sha256"] == fingerprint(tmp_path / "y")["sha256"]


def test_code_is_the_closure_of_imports_without_the_command_line():
    files = code_files("rounds.run")
    assert {"rounds/run.py", "rounds/plan.py", "utils/runs/commit.py"} <= set(files)
    assert not any(name.startswith(("cli", "utils/report", "postraining_sft")) for name in files)


def test_jobs_named_as_text_belong_to_the_code():
    assert "cleaning/run.py" in code_files("cleaning.run")
    assert all((posttrain_root.ROOT / name).is_file() for name in code_files("cleaning.run"))


def test_outputs_leave_inner_files_and_steps_out(tmp_path):
    for name in ("good/a", "run/work/b", "steps/s/c", "report.html", "manifest.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert list(outputs(tmp_path, {})) == ["good/a"]
