"""Data production as a user starts it: clean rows in; measures, tiers, seeds, a map and a card out; no round."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.rounds.test_spine import finish, finished, kill_during, places, start
from utils.runs.commit import read_json

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data"
STEPS = ["attributes", "tier", "view", "card"]
TIMED = {"map.html", "map.png", "card.html", "README.md", "stats.json"}  # they name their run, or say when it ran
ROWS = [
    ("Name {n} fruits that grow in {place}.", "Apples, pears and plums grow in {place}; {n} of them are sweet."),
    ("用一句话介绍第{n}个城市{place}。", "{place}是一座历史悠久的城市，排在第{n}位，以美食闻名。"),
    ("Write Python code that adds {n} to a list.", "```python\nvalues.append({n})\n```\nIt changes the list in place."),
    ("请把{n}翻译成英文，并说明{place}的天气。", "The number is {n}. {place} is warm and dry today."),
]
PLACES = ["Oslo", "Lima", "Kyoto", "Cairo", "Perth", "北京", "杭州", "成都", "Quito", "Lagos"]


def clean_rows(path, count=240):
    """Write rows that differ in more than a number: a place, a number, and a tail of words of their own."""
    with path.open("w", encoding="utf-8") as stream:
        for n in range(count):
            prompt, answer = ROWS[n % len(ROWS)]
            words = " ".join(f"{PLACES[(n * k) % 10]}{n * k}" for k in range(1, 2 + n % 13))
            named = {"n": n, "place": PLACES[n % 10]}
            row = {"instruction": f"{prompt.format(**named)} {words}", "input": "", "output": answer.format(**named)}
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


def arguments(root, rows, *more):
    return (str(root / "configs/rounds/data.yaml"), "--set", f"rows={rows}", "--set", "output=out", *more)


def contents(run):
    """Return the hash of every file that must be equal in two runs."""
    found = {}
    for name, place in places(run).items():
        outputs = read_json(place / "manifest.json")["outputs"]
        found |= {f"{name}/{file}": seal["sha256"] for file, seal in outputs.items() if file not in TIMED}
    return found


@pytest.mark.long
@pytest.mark.ray
def test_on_ray_killed_once_equals_local(root, tmp_path):
    rows = clean_rows(tmp_path / "rows.jsonl")
    folders = [tmp_path / name for name in ("calm", "stormy")]
    for folder in folders:
        folder.mkdir()
    finish(start(root, folders[0], *arguments(root, rows, "--set", "attributes.executor=local")))
    kill_during(start(root, folders[1], *arguments(root, rows)), folders[1] / "out", "tier")
    finish(start(root, folders[1], *arguments(root, rows)))
    calm, stormy = (folder / "out" for folder in folders)
    assert list(finished(stormy)) == STEPS
    executors = [
        read_json(places(run)["attributes"] / "manifest.json")["execution"]["executor"] for run in (calm, stormy)
    ]
    assert executors == ["local", "ray"]
    assert contents(stormy) == contents(calm)
    assert len(contents(calm)) > 20
    check_rows(places(calm))
    check_page(calm)


def check_rows(found):
    decisions = pl.read_parquet(found["tier"] / "ledger" / "decisions.parquet")
    assert len(decisions) == 240
    assert set(decisions["status"]) <= {"kept", "dropped"}
    assert pl.read_parquet(found["view"] / "map.parquet").height == 240
    assert read_json(found["card"] / "manifest.json")["counts"]["in"] == (decisions["status"] == "kept").sum()


def check_page(run):
    page = (run / "report.html").read_text(encoding="utf-8")
    assert page.count('src="data:image/png;base64,') == 1
    for step, name in (("view", "map.html"), ("card", "card.html")):
        assert f"steps/{places(run)[step].name}/{name}" in page
    assert "held-out accuracy" not in page


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not REAL.is_dir(), reason="no real data beside the project (../shared/data)")
def test_real_rows_killed_in_every_step_on_ray_equal_local(root, tmp_path):
    sources = json.dumps([str(REAL / "sft_zh"), str(REAL / "sft_en")])
    command = [sys.executable, str(root / "posttrain.py"), "clean", "--config"]
    command += [str(root / "configs/cleaning/instruction.yaml"), "--set", f"input={sources}", "--set", "output=clean"]
    subprocess.run([*command, "--set", "executor=local", "--quiet"], cwd=tmp_path, check=True, env=os.environ)
    rows = tmp_path / "clean"
    folders = [tmp_path / name for name in ("calm", "stormy")]
    for folder in folders:
        folder.mkdir()
    finish(start(root, folders[0], *arguments(root, rows, "--set", "attributes.executor=local")))
    for step in STEPS:
        kill_during(start(root, folders[1], *arguments(root, rows)), folders[1] / "out", step)
    finish(start(root, folders[1], *arguments(root, rows)))
    assert contents(folders[1] / "out") == contents(folders[0] / "out")
