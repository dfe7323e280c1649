"""The review sample of whole runs: its size, its strata, its rows; and that only seed and rows decide which."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cleaning.review import COLUMNS
from tests.support.cleaning import clean_here, lines, write_rows

ZH, EN = "把这句话翻译成英文", "say it in other words"
PLACE = ("source_file", "source_row", "lang")


def rows_of(number: int) -> list[dict[str, Any]]:
    """Return rows of two languages: most stay, some are empty, some repeat; a few are changed."""
    made = [
        {
            "instruction": f"{EN if row % 3 else ZH} {row % 190}",
            "output": "" if row % 50 == 0 else f"{'<b>x</b> ' if row % 7 == 0 else ''}{row % 190}",
            "n": row,
        }
        for row in range(number)
    ]
    return [*made, {"instruction": 3, "output": "not a row"}]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    rows = rows_of(400)
    write_rows(folder / "a.jsonl", rows)
    table = pa.table({name: [row[name] for row in rows[:150]] for name in ("instruction", "output", "n")})
    pq.write_table(table, folder / "deep.parquet", row_group_size=40)
    return folder


SETTINGS = ("policy=default-instruction", "name=rows", "partition_bytes=4096")


@pytest.fixture(scope="module")
def run(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("run") / "out"
    clean_here(source, output, *SETTINGS)
    return output


def ledger(run: Path) -> dict[tuple[str, int], dict[str, Any]]:
    frame = pl.read_parquet(sorted((run / "ledger").iterdir()))
    return {(row["source_file"], row["source_row"]): row for row in frame.iter_rows(named=True)}


def test_a_hundred_rows_of_every_stratum(run: Path) -> None:
    sample, decided = lines(run / "rows-sample100.jsonl"), ledger(run)
    places = [(row["source_file"], row["source_row"]) for row in sample]
    assert len(set(places)) == len(sample) == 100
    drawn = Counter((row["lang"], row["clean_status"], row["clean_policy"]) for row in sample)
    first = {True: "exact_duplicate", False: "minimum_length"}
    every = {(lang, 0, reason) for lang in ("zh", "en") for reason in first.values()} | {("zh", 1, ""), ("en", 1, "")}
    assert drawn.keys() == every, "each stratum is seen, and refused rows are in none"
    most = Counter(row["status"] for row in decided.values())
    assert drawn["en", 1, ""] > drawn["zh", 1, ""] > 1 and most["kept"] > 100
    for row, place in zip(sample, places, strict=True):
        assert row["clean_reasons"] == decided[place]["reasons"]
        assert (row["clean_status"] == 1) == (decided[place]["status"] == "kept")


def written(run: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of good/ and bad/ by input file, in order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for folder in ("good", "bad"):
        found.setdefault("a.jsonl", []).extend(lines(run / folder / "a.jsonl"))
        found.setdefault("deep.parquet", []).extend(pq.read_table(run / folder / "deep.parquet").to_pylist())
    return found


def test_lines_are_the_written_rows_and_empty_review_columns(run: Path) -> None:
    rows = written(run)
    sample = lines(run / "rows-sample100.jsonl")
    assert {row["source_file"] for row in sample} == rows.keys()
    for line in sample:
        assert list(line)[:3] == list(PLACE) and list(line.items())[-len(COLUMNS) :] == list(COLUMNS.items())
        row = {key: value for key, value in line.items() if key not in {*PLACE, *COLUMNS}}
        # `n` is the row's number in its file, so this is the row at its place and no other like it
        assert row["n"] == line["source_row"] and row in rows[line["source_file"]]


@pytest.mark.parametrize("partition_bytes", [2048, 1 << 20])
def test_partitions_do_not_matter_but_the_seed_does(
    partition_bytes: int, run: Path, source: Path, tmp_path: Path
) -> None:
    clean_here(source, tmp_path / "out", *SETTINGS, f"partition_bytes={partition_bytes}")
    again = (tmp_path / "out" / "rows-sample100.jsonl").read_bytes()
    assert again == (run / "rows-sample100.jsonl").read_bytes()
    if partition_bytes > 2048:
        clean_here(source, tmp_path / "other", *SETTINGS, "seed=2")
        other = (tmp_path / "other" / "rows-sample100.jsonl").read_bytes()
        assert sorted(other.splitlines()) != sorted(again.splitlines())


def test_fewer_rows_are_all_in_it_and_no_key_comes_twice(tmp_path: Path) -> None:
    rows = [{"text": f"row {n}", "lang": "tlh", "source_row": 7, "review_note": "mine", "f": 1.0} for n in range(5)]
    write_rows(tmp_path / "in" / "a.jsonl", [*rows, {"no": "text"}])
    clean_here(tmp_path / "in", tmp_path / "out", "policy=[]", "name=few", "quarantine_limit=1")
    raw = (tmp_path / "out" / "few-sample100.jsonl").read_text().splitlines()
    pairs = [json.loads(line, object_pairs_hook=list) for line in raw]
    assert all(len(dict(line)) == len(line) for line in pairs)
    found = sorted(map(dict, pairs), key=lambda row: row["source_row"])
    assert [(row["source_row"], row["lang"], row["review_note"]) for row in found] == [(n, "en", "") for n in range(5)]
    assert [row["text"] for row in found] == [row["text"] for row in rows] and found[0]["f"] == 1.0


def test_only_refused_rows_give_an_empty_sample(tmp_path: Path) -> None:
    write_rows(tmp_path / "in" / "a.jsonl", [{"text": 1}, {"text": 2}])
    clean_here(tmp_path / "in", tmp_path / "out", "policy=[]", "name=none", "quarantine_limit=1", "format=document")
    assert (tmp_path / "out" / "none-sample100.jsonl").read_bytes() == b""
