"""F1: a worker that is killed costs a try; a partition that kills every one goes to quarantine, the others go on."""

import base64
import gzip
import json
import shutil

import polars as pl

import cli
from cleaning.commands import difference
from cleaning.replay import replay, rows_given_up
from tests.faults.conftest import clean_arguments, content
from utils.data.inputs import InputFile
from utils.data.partitions import plan_partitions

DIED = "given up after 1 tries: worker died"


def clean(rows, run, *more):
    return cli.main([*clean_arguments(rows, f"output={run}", *more), "--quiet"])


def partition(source, name, index):
    return plan_partitions(InputFile(source / name, name, "jsonl"), 16384)[index]


def ledger(run):
    return pl.read_parquet(sorted((run / "ledger").glob("*.parquet"))).sort("source_file", "source_row")


def entries(run, name):
    return [json.loads(line) for line in (run / "quarantine" / name).read_text().splitlines()]


def held(entries, end=b""):
    return b"".join(base64.b64decode(entry["raw_base64"]) + end for entry in entries)


def test_killed_once_in_three_places_nothing_changes(rows, calm, dying, tmp_path):
    dying(**{partition(rows, "a.jsonl", 1).name: 1, "file-": 1})
    assert clean(rows, tmp_path / "out") == 0
    assert content(tmp_path / "out") == content(calm)
    log = (tmp_path / "out" / "run" / "log.txt").read_text()
    assert all(f"unit {kind}-" in log for kind in ("first", "second", "file"))


def test_hopeless_partitions_go_to_quarantine_and_the_others_go_on(rows, calm, dying, tmp_path, capfd):
    source = tmp_path / "rows"
    shutil.copytree(rows, source)
    (source / "c.jsonl.gz").write_bytes(gzip.compress(b'{"instruction": "q", "output": "a"}\n' * 9))
    cleaned, read = partition(source, "a.jsonl", 1), partition(source, "b.jsonl", 0)
    dying(**{f"first-{cleaned.name}": 1, f"first-{read.name}": 2, "first-c.jsonl.gz": 2})
    run = tmp_path / "out"
    assert clean(source, run, "attempts=1") == 3, "over quarantine_limit"
    counts = json.loads((run / "manifest.json").read_text())["counts"]
    assert (counts["in"], counts["quarantined"]) == (3003, 2 + cleaned.rows + read.rows + 1), (
        "how many are in c, none knows"
    )
    assert counts["in"] == counts["kept"] + counts["dropped"] + counts["quarantined"]

    others = ledger(run).filter(pl.col("status") != "quarantined")
    assert others.drop("source").equals(
        ledger(calm).join(others, on=["source_file", "source_row"], how="semi").drop("source")
    )
    *found, broken = entries(run, "a.jsonl")
    assert "invalid JSON" in broken["error"]
    assert [entry["source_row"] for entry in found] == [*range(cleaned.first_row, cleaned.first_row + cleaned.rows)]
    assert {entry["error"] for entry in found} == {DIED}
    assert held(found, b"\n") == (source / "a.jsonl").read_bytes()[cleaned.start : cleaned.end]
    *found, _ = entries(run, "b.jsonl")
    assert [entry["source_row"] for entry in found] == [*range(read.rows)]
    assert {entry["error"] for entry in found} == {
        f"{DIED}, reading only; bytes 0 to {read.end} of the file, rows: {read.rows}"
    }
    assert held(found) == (source / "b.jsonl").read_bytes()[: read.end]
    (one,) = entries(run, "c.jsonl")
    assert one["error"].endswith("rows: unknown")
    assert held([one]) == (source / "c.jsonl.gz").read_bytes()
    assert f"unit first-{cleaned.name} is {DIED}" in capfd.readouterr().err

    rows = ledger(run).filter(pl.col("status") == "quarantined")
    lost = rows.filter((pl.col("source_file") != "a.jsonl") | (pl.col("source_row") < 1500)).to_dicts()
    told = [one for one in replay(run, lost) if one.given_up]
    assert len(told) == cleaned.rows + read.rows + 1 == rows_given_up(run)
    assert {(one.given_up.startswith(DIED), *one.before, *one.after) for one in told} == {(True,)}
    (line,) = (line for line in difference(run, rows["id"][0]) if "no rule" in line)
    assert line == f"  no rule saw it: its partition was {DIED}"
    assert cli.main(["clean", "sample", str(run), "--per-rule", "1"]) == 0
    assert f"{len(told)} rows in quarantine/ are not drawn from" in capfd.readouterr().err


def test_in_pass_2_the_run_ends_in_one_line_and_can_be_resumed(rows, calm, dying, tmp_path, capfd):
    dying(**{f"second-{partition(rows, 'b.jsonl', 2).name}": 9})
    run = tmp_path / "out"
    assert clean(rows, run) == 1
    told = capfd.readouterr().err
    assert "Traceback" not in told
    assert all(part in told.splitlines()[-1] for part in ("unit second-b", "failed 3 times", "posttrain resume"))
    dying()
    assert clean(rows, run) == 0
    assert content(run) == content(calm)
