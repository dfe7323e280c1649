"""`posttrain view` from measured rows to its three files; `tsne_cluster_show.py` from a folder of rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from stages import jsonl

import cli
from utils.runs.commit import read_json


def rows(count: int) -> list[dict[str, Any]]:
    asked = [f"请把{n}写成英文" if n % 2 else f"Spell the number {n}." for n in range(count)]
    return [{"instruction": question, "input": "", "output": str(n)} for n, question in enumerate(asked)]


def call(verb: str, *keys: str) -> int:
    return cli.main([verb, "--quiet", *(word for key in keys for word in ("--set", key))])


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An attributes run over 40 rows, one of them empty, one twice."""
    folder = tmp_path_factory.mktemp("measured")
    given = [*rows(40), rows(1)[0]]
    given[7] = {"instruction": " ", "input": "", "output": " "}
    source = jsonl(folder / "rows.jsonl", given)
    only = "only=[text_statistics, embedding, cluster]"
    assert call("attributes", f"input={source}", f"output={folder / 'run'}", "executor=local", only) == 0
    return folder / "run"


def view(measured: Path, output: Path, *keys: str) -> int:
    return call("view", f"attributes={measured}", f"output={output}", "method=pca", *keys)


def test_the_table_has_a_place_and_every_column_for_every_row(measured: Path, tmp_path: Path) -> None:
    assert view(measured, tmp_path / "map") == 0
    table = pl.read_parquet(tmp_path / "map/map.parquet")
    assert table.columns[:6] == ["id", "x", "y", "source", "lang", "text"]
    assert {"cluster.cluster", "cluster.cluster_name", "text_statistics.turns"} <= set(table.columns)
    assert table["text"].to_list()[:2] == ["Spell the number 0. → 0", "请把1写成英文 → 1"]
    assert table["x"].is_not_null().all()
    counts = read_json(tmp_path / "map/manifest.json")["counts"]
    expected = {"in": 40, "kept": 39, "dropped": 1, "quarantined": 0, "by_reason": {"no_vector": 1}}
    assert {name: counts[name] for name in expected} == expected
    assert (tmp_path / "map/map.png").read_bytes().startswith(b"\x89PNG")


def test_twice_is_the_same_bytes_and_lost_pictures_are_drawn_again(measured: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    assert view(measured, one, "name=m") == view(measured, two, "name=m") == 0
    files = {path.name: path.read_bytes() for path in one.glob("map.*")}
    assert len(files) == 3
    assert files == {path.name: path.read_bytes() for path in two.glob("map.*")}
    (one / "map.html").unlink()
    (one / "manifest.json").unlink()
    assert view(measured, one, "name=m") == 0
    assert files == {path.name: path.read_bytes() for path in one.glob("map.*")}


def test_only_some_rows_and_what_was_left_of_them(measured: Path, tmp_path: Path) -> None:
    some = jsonl(tmp_path / "some.jsonl", rows(50)[30:])  # ten of them were not measured
    left = jsonl(tmp_path / "left.jsonl", rows(34)[30:])
    keys = (f"input={some}", f"after={left}", "points=6", "quarantine_limit=1")
    assert view(measured, tmp_path / "map", *keys) == 0
    table = pl.read_parquet(tmp_path / "map/map.parquet")
    assert table.height == 6
    kept = table.filter("after")["text"].to_list()
    assert kept == [text for text in table["text"].to_list() if int(text.split()[-1]) < 34]
    counts = read_json(tmp_path / "map/manifest.json")["counts"]
    assert (counts["in"], counts["kept"], counts["quarantined"], counts["by_reason"]) == (20, 6, 10, {"not_drawn": 4})


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("embedding=embeding", "nearest: embedding"),
        ("colour=cluster.clustre", "no column 'cluster.clustre' to colour by → nearest: cluster.cluster"),
        ("tier=nowhere", "nowhere"),
        ("method=umap", "umap-learn is not installed"),
        ("attributes=empty", "no attributes run"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_line(
    measured: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    key: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "umap", None)
    (tmp_path / "empty").mkdir()
    assert view(measured, tmp_path / "out" / "map", key) == 2
    assert message in capsys.readouterr().err


def test_after_must_know_the_rows(measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = jsonl(tmp_path / "other.jsonl", [{"instruction": "another", "input": "", "output": "row"}])
    assert view(measured, tmp_path / "map", f"after={other}") == 2
    assert "no row of `after` is in the input" in capsys.readouterr().err


def test_dry_run_says_what_would_be_drawn(measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = (f"attributes={measured}", f"output={tmp_path / 'map'}")
    assert cli.main(["view", "--dry-run", *(word for key in keys for word in ("--set", key))]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["counts"]["kept"] == 39
    assert shown["columns"]["cluster.cluster"] == "category"
    assert not (tmp_path / "map").exists()
