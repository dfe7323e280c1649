"""What a cleaning run's config is told when it is wrong, and what becomes of its paths."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cli
from cleaning.config import CleanConfig
from cleaning.run import partitions_of
from tests.support.cleaning import clean_here, lines, write_rows
from utils.runs.config import load_config

ROWS = [{"instruction": "What is tea?", "output": "A drink."}]


def refusal(capfd: pytest.CaptureFixture[str], *settings: str) -> str:
    """Return the one line that a wrong command gets."""
    capfd.readouterr()
    assert cli.main(["clean", *(word for one in settings for word in ("--set", one))]) == 2
    told = capfd.readouterr()
    assert not told.out and told.err.count("\n") == 1, told
    return told.err


@pytest.mark.parametrize(
    ("listed", "told"),
    [("[allowd]", "no list 'allowd'.*(nearest: allowed)"), ("[qqqqq]", "no list 'qqqqq'.*or one of allowed, [^(]*$")],
)
def test_an_unknown_list_of_words_is_told_the_nearest(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], listed: str, told: str
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(f"rules: [{{rule: blacklist, lists: {listed}}}]\n")
    line = refusal(capfd, f"input={tmp_path}", f"output={tmp_path / 'out'}", f"policy={path}")
    assert str(path) in line
    assert re.search(told, line), line


def test_an_unknown_key_is_told_a_near_one_or_none(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    given = [f"input={tmp_path}", f"output={tmp_path / 'out'}", "policy=default-zh"]
    assert refusal(capfd, *given, "partition_byte=1").endswith("nearest: partition_bytes\n")
    assert refusal(capfd, *given, "bogus=1").endswith("unknown key 'bogus'\n")
    assert "nearest" not in refusal(capfd, *given[:2], "policy=qqqqqqq")


def test_a_glob_needs_no_quotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "a.jsonl", ROWS)
    assert clean_here("*.jsonl", Path("out"), "policy=[]")["counts"]["in"] == 1
    assert lines(tmp_path / "out" / "good" / "a.jsonl")[0]["output"] == "A drink."


def test_a_relative_tokenizer_reaches_workers_as_an_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "a.jsonl", ROWS)
    given = ["input=a.jsonl", "output=out", "policy=[]", "tokenizer=words/tokenizer.json"]
    ((_, task),) = partitions_of(load_config(CleanConfig, None, given))
    assert task["tokenizer"] == str(tmp_path / "words" / "tokenizer.json")
