"""The whole verb: one row per id, the same files whatever the workers, nothing done twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import cli
from data_pipeline.attributes.store import load_attribute
from utils.data.records import Message, content_id
from utils.errors import UserError
from utils.runs.commit import read_json

ROWS = 60
SMALL = ["--set", "partition_bytes=1500", "--set", "executor=local", "--quiet"]


def row(number: int) -> dict[str, Any]:
    return {
        "instruction": f"问题{number} why number {number}?",
        "input": "",
        "output": f"回答{number}" * (number % 7 + 1),
    }


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files: 60 rows, of which three stand again in the other file and one again in its own; one line is broken."""
    folder = tmp_path_factory.mktemp("rows")
    first = [row(n) for n in range(ROWS // 2)] + [row(3)]
    second = [row(n) for n in range(ROWS // 2, ROWS)] + [row(n) for n in (0, 1, 2)]
    (folder / "a.jsonl").write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in first))
    (folder / "b.jsonl").write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in second) + "{broken\n")
    return folder


def arguments(source: Path, output: Path, *more: str) -> list[str]:
    return ["attributes", "--set", f"input={source}", "--set", f"output={output}", *SMALL, *more]


def measured(source: Path, output: Path, *more: str) -> Path:
    assert cli.main(arguments(source, output, *more)) == 3  # one row of 65 is over the default limit of 1 %
    return output


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run of all attributes by two workers."""
    return measured(source, tmp_path_factory.mktemp("whole") / "run", "--set", "workers=2")


def files(run: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(run)): path.read_bytes()
        for path in sorted((run / "attributes").rglob("*"))
        if path.is_file()
    }


def test_each_id_once_and_every_row_counted(whole: Path) -> None:
    run = whole
    counts = read_json(run / "manifest.json")["counts"]
    assert counts == {"in": 65, "kept": 60, "dropped": 4, "quarantined": 1, "by_reason": {"duplicate_id": 4}}
    expected = Counter(
        content_id([Message("user", r["instruction"]), Message("assistant", r["output"])])
        for r in map(row, range(ROWS))
    )
    for name in ("text_statistics", "embedding", "cluster"):
        assert Counter(load_attribute(run, name)["id"]) == expected
    assert len(list((run / "attributes/embedding").glob("part-*.parquet"))) > 3
    quarantined = [
        json.loads(line) for file in (run / "quarantine").iterdir() for line in file.read_text().splitlines()
    ]
    assert [(q["source_file"], q["source_row"]) for q in quarantined] == [("b.jsonl", 33)]
    assert "invalid JSON" in quarantined[0]["error"]


def test_the_first_place_of_an_id_measures_it(whole: Path) -> None:
    ids = load_attribute(whole, "text_statistics")["id"].to_list()
    assert ids == [
        content_id([Message("user", r["instruction"]), Message("assistant", r["output"])])
        for r in map(row, range(ROWS))
    ]


def test_manifests_say_what_measured_what(source: Path, tmp_path: Path) -> None:
    run = measured(
        source, tmp_path / "run", "--set", "attributes=[{kind: embedding, dimensions: 16}]", "--set", "seed=9"
    )
    manifest = read_json(run / "attributes/embedding/manifest.json")
    assert manifest["scorer"] == "data_pipeline.attributes.kinds.embedding.Embedding"
    assert (manifest["version"], manifest["seed"], manifest["rows"]) == (1, 9, 60)
    assert manifest["parameters"]["dimensions"] == 16
    assert list(manifest["columns"]) == ["id", "embedding", "characters_cut"]
    assert not (run / "attributes/cluster").exists()


def test_one_worker_and_two_write_the_same_bytes(source: Path, whole: Path, tmp_path: Path) -> None:
    assert files(measured(source, tmp_path / "one", "--set", "workers=1")) == files(whole)


def test_other_partitions_give_the_same_values(source: Path, whole: Path, tmp_path: Path) -> None:
    large = measured(source, tmp_path / "large", "--set", "partition_bytes=1000000")
    for name in ("text_statistics", "embedding", "cluster"):
        one, other = (load_attribute(run, name).sort("id") for run in (whole, large))
        assert one.equals(other), name


def test_only_the_lost_part_is_measured_again(source: Path, whole: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    before = files(run)
    lost = run / "attributes/embedding/part-00001.parquet"
    times = {path: path.stat().st_mtime_ns for path in run.rglob("part-*.parquet") if path != lost}
    lost.unlink()
    (run / "manifest.json").unlink()
    assert measured(source, run) == run
    assert files(run) == before
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert read_json(run / "manifest.json")["execution"]["tasks"] == 1


def test_parts_of_an_earlier_plan_are_not_listed(source: Path, whole: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    before = files(run)
    for name in ("embedding", "cluster"):
        part = run / f"attributes/{name}/part-00000.parquet"
        shutil.copy(part, part.with_name("part-00099.parquet"))
    (run / "manifest.json").unlink()
    measured(source, run)
    assert {path: content for path, content in files(run).items() if "part-00099" not in path} == before


def test_kill_9_and_the_same_command(source: Path, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "killed"
    command = [sys.executable, "-m", "posttrain", *arguments(source, run)]
    driver = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while len(list(run.glob("run/reports/embedding-*"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.005)
        assert driver.poll() is None, "the run was over before it could be killed"
    finally:
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    done = {path: path.stat().st_mtime_ns for path in run.glob("run/reports/*.json")}
    assert not (run / "manifest.json").exists()
    measured(source, run)
    assert files(run) == files(whole)
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert not list(run.rglob("*.tmp.*"))


def attributes(dimensions: int) -> list[str]:
    kinds = f"[{{kind: text_statistics}}, {{kind: embedding, dimensions: {dimensions}}}, {{kind: cluster}}]"
    return ["--set", f"attributes={kinds}"]


def times(run: Path, name: str) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in run.glob(f"attributes/{name}/part-*.parquet")}


def test_only_measures_one_and_what_it_builds_on_and_the_others_later(
    source: Path, whole: Path, tmp_path: Path
) -> None:
    run = measured(source, tmp_path / "run", "--only", "cluster")
    assert sorted(path.name for path in (run / "attributes").iterdir()) == ["cluster", "embedding"]
    before = times(run, "embedding") | times(run, "cluster")
    measured(source, run, "--only", "text_statistics")
    measured(source, run)
    assert files(run) == files(whole)
    assert times(run, "embedding") | times(run, "cluster") == before


def test_a_changed_attribute_is_measured_again_with_what_builds_on_it_and_no_other(
    source: Path, tmp_path: Path
) -> None:
    run = measured(source, tmp_path / "run", *attributes(16))
    before = times(run, "text_statistics")
    measured(source, run, *attributes(24))
    assert times(run, "text_statistics") == before
    assert files(run) == files(measured(source, tmp_path / "fresh", *attributes(24)))
    measured(source, run, *attributes(32), "--only", "embedding")
    assert load_attribute(run, "embedding")["embedding"].dtype.size == 32
    with pytest.raises(UserError, match="no attribute 'cluster'"):  # it was one of another embedding
        load_attribute(run, "cluster")
    assert times(run, "text_statistics") == before
    measured(source, run, *attributes(24), "--set", "workers=2")
    assert files(run) == files(tmp_path / "fresh")


@pytest.mark.slow
def test_killed_while_a_changed_attribute_is_measured(source: Path, tmp_path: Path) -> None:
    run = measured(source, tmp_path / "run", *attributes(16))
    command = [sys.executable, "-m", "posttrain", *arguments(source, run, *attributes(24))]
    driver = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(run.glob("run/superseded/attributes/run/reports/*")) and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    measured(source, run, *attributes(24))
    assert files(run) == files(measured(source, tmp_path / "fresh", *attributes(24)))


def test_other_rows_are_refused_whatever_else_changed(source: Path, tmp_path: Path) -> None:
    rows = Path(shutil.copytree(source, tmp_path / "rows"))
    run = measured(rows, tmp_path / "run", *attributes(16))
    with (rows / "a.jsonl").open("a") as stream:
        stream.write(json.dumps(row(999)) + "\n")
    assert cli.main(arguments(rows, run, *attributes(24))) == 2
    assert cli.main(arguments(rows, run, *attributes(24), "--accept-changes")) == 3
    assert files(run) == files(measured(rows, tmp_path / "fresh", *attributes(24)))


def test_dry_run_says_what_would_be_done(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*arguments(source, tmp_path / "run"), "--dry-run"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["files"], shown["rows"], shown["order"]) == (2, 65, [["text_statistics", "embedding"], ["cluster"]])
    assert not (tmp_path / "run").exists()


def test_records_and_tables_with_a_text_field_are_read(tmp_path: Path) -> None:
    record = {"id": "0" * 32, "source": "s", "lang": "zh", "messages": [{"role": "user", "content": "问"}], "meta": {}}
    (tmp_path / "r.jsonl").write_text(json.dumps(record) + "\n")
    pl.DataFrame({"body": ["one text"], "n": [1]}).write_parquet(tmp_path / "t.parquet")
    more = ["--set", "only=[text_statistics]"]
    assert cli.main(arguments(tmp_path / "r.jsonl", tmp_path / "records", *more)) == 0
    assert cli.main(arguments(tmp_path / "t.parquet", tmp_path / "table", *more, "--set", "text_field=body")) == 0
    assert load_attribute(tmp_path / "records", "text_statistics")["id"].to_list() == ["0" * 32]
    assert load_attribute(tmp_path / "table", "text_statistics")["characters"].to_list() == [8]


@pytest.mark.ray
def test_the_default_measures_on_ray(source: Path, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "ray"
    command = [
        "attributes",
        "--set",
        f"input={source}",
        "--set",
        f"output={run}",
        "--set",
        "partition_bytes=1500",
        "--quiet",
    ]
    assert cli.main(command) == 3
    execution = read_json(run / "manifest.json")["execution"]
    assert execution["executor"] == "ray"
    assert execution["workers"]
    assert execution["tasks"] == len(list(run.glob("run/reports/*.json"))) - 1  # all but the driver's `repeated`
    assert files(run) == files(whole)


def test_real_chinese_rows(root: Path, tmp_path: Path) -> None:
    source = root.parent / "shared/data/sft_zh/harmlessness_1k.jsonl"
    if not source.exists():
        pytest.skip("shared/data is not here")
    run = tmp_path / "run"
    keys = [f"input={source}", f"output={run}", "executor=local", "only=[text_statistics, embedding]"]
    assert cli.main(["attributes", "--quiet", *(word for key in keys for word in ("--set", key))]) == 0
    statistics = load_attribute(run, "text_statistics")
    assert read_json(run / "manifest.json")["counts"]["in"] == len(source.read_text().splitlines())
    assert (statistics["lang"] == "zh").mean() > 0.95
    assert load_attribute(run, "embedding")["embedding"].null_count() == 0
