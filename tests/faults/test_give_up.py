"""F1: a worker that is killed costs a try; a partition that kills every one goes to quarantine, the others go on."""

import base64
import gzip
import hashlib
import json

import polars as pl
import pytest

import cli
from tests.faults.conftest import clean_arguments, content
from utils.data.inputs import InputFile
from utils.data.partitions import plan_partitions

DIED = "given up after 3 tries: worker died"
CUT = 6144


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Rows of which no two are near each other, so that what happens to one says nothing of another."""
    folder = tmp_path_factory.mktemp("in")

    def rows(name, count):
        texts = [hashlib.sha256(f"{name}{row}".encode()).hexdigest() for row in range(count)]
        rows = [{"instruction": f"q{text[:9]}", "output": "<br>".join([text[9:30], text[30:]])} for text in texts]
        return "".join(json.dumps(row) + "\n" for row in rows).encode()

    (folder / "a.jsonl").write_bytes(rows("a", 90))
    (folder / "b.jsonl").write_bytes(rows("b", 60))
    (folder / "c.jsonl.gz").write_bytes(gzip.compress(rows("c", 30)))
    return folder


def clean(source, run):
    wanted = [f"partition_bytes={CUT}", f"output={run}", "quarantine_limit=0.5"]
    return cli.main([*clean_arguments(source, *wanted), "--quiet"])


@pytest.fixture(scope="module")
def calm(source, tmp_path_factory):
    run = tmp_path_factory.mktemp("calm") / "out"
    assert clean(source, run) == 0
    return run


def ledger(run):
    return pl.read_parquet(sorted((run / "ledger").glob("*.parquet"))).sort("source_file", "source_row")


def entries(run, name):
    return [json.loads(line) for line in (run / "quarantine" / name).read_text().splitlines()]


def held(entries, end=b""):
    return b"".join(base64.b64decode(entry["raw_base64"]) + end for entry in entries)


def test_every_first_try_is_killed_and_nothing_changes(source, calm, dying, tmp_path):
    dying(**{"": 1})
    assert clean(source, tmp_path / "out") == 0
    assert content(tmp_path / "out") == content(calm)
    log = (tmp_path / "out" / "run" / "log.txt").read_text()
    assert all(f"unit {kind}-" in log for kind in ("first", "second", "file"))


def test_hopeless_partitions_go_to_quarantine_and_the_others_go_on(source, calm, dying, tmp_path, capfd):
    cleaned, read = (
        plan_partitions(InputFile(source / name, name, "jsonl"), CUT)[at]
        for name, at in (("a.jsonl", 1), ("b.jsonl", 0))
    )
    dying(**{f"first-{cleaned.name}": 3, f"first-{read.name}": 6, "first-c.jsonl.gz": 6})
    run = tmp_path / "out"
    assert clean(source, run) == 3, "over quarantine_limit"
    counts = json.loads((run / "manifest.json").read_text())["counts"]
    assert (counts["in"], counts["quarantined"]) == (151, cleaned.rows + read.rows + 1), "how many are in c, none knows"
    assert counts["in"] == counts["kept"] + counts["dropped"] + counts["quarantined"]

    rows = ledger(run)
    others = rows.filter(pl.col("status") != "quarantined")
    assert others.equals(ledger(calm).join(others, on=["source_file", "source_row"], how="semi").select(others.columns))
    found = entries(run, "a.jsonl")
    assert [entry["source_row"] for entry in found] == [*range(cleaned.first_row, cleaned.first_row + cleaned.rows)]
    assert {entry["error"] for entry in found} == {DIED}
    assert held(found, b"\n") == (source / "a.jsonl").read_bytes()[cleaned.start : cleaned.end]
    found = entries(run, "b.jsonl")
    assert [entry["source_row"] for entry in found] == [*range(read.rows)]
    assert {entry["error"] for entry in found} == {
        f"{DIED}, reading only; bytes 0 to {read.end} of the file, rows: {read.rows}"
    }
    assert held(found) == (source / "b.jsonl").read_bytes()[: read.end]
    (one,) = entries(run, "c.jsonl")
    assert one["error"].endswith("rows: unknown")
    assert held([one]) == (source / "c.jsonl.gz").read_bytes()
    assert f"unit first-{cleaned.name} is {DIED}" in capfd.readouterr().err


def test_in_pass_2_the_run_ends_in_one_line_and_can_be_resumed(source, calm, dying, tmp_path, capfd):
    dying(**{"second-b": 9})
    run = tmp_path / "out"
    assert clean(source, run) == 1
    told = capfd.readouterr().err
    assert "Traceback" not in told
    assert all(part in told.splitlines()[-1] for part in ("unit second-b", "failed 3 times", "posttrain resume"))
    dying()
    assert clean(source, run) == 0
    assert content(run) == content(calm)
