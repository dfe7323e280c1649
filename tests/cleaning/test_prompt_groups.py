"""Instruction data through the whole command: one prompt with several answers is material for preferences, no copy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.cleaning import clean_here, lines, write_rows

ASKED = (
    "请用不超过两百字介绍一下长江三峡的形成过程，并说明葛洲坝工程在当年的作用与今天的意义，最后列出三个值得一看的峡谷，"
    "写明各自的长度、最窄处的宽度和两岸山峰的高度。"
)
ONE, OTHER = "江水切穿了隆起的山地。", "大坝建成于上世纪末。"
ROWS: list[tuple[str, str]] = [
    ("Name a river.", "The Rhine."),
    ("Name a river.", "The <b>Po</b>."),  # equal once cleaned to the table's first row
    ("Name a  river.", "The Rhine. "),  # blanks apart, a copy of the first
    ("Name a lake.", "Como."),
    ("Name a lake.", ""),  # dropped, so the one above has nobody to be compared with
    (ASKED, ONE),
    (ASKED + "谢谢！", OTHER),  # nearly the same row, but for the answer
    (ASKED + "谢谢！！", ONE),  # and with the same answer: a near duplicate
    ("Name a hill.", "Etna."),
]
TABLE = [("Name a river.", "The Po."), ("Name a river.", "The Volga."), ("Name a town.", "Bonn.")]


def row_of(prompt: str, answer: str, number: int) -> dict[str, Any]:
    return {"instruction": prompt, "input": "", "output": answer, "n": number}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("groups")
    write_rows(folder / "in" / "a.jsonl", (row_of(*pair, number) for number, pair in enumerate(ROWS)))
    table = pa.Table.from_pylist([row_of(*pair, number) for number, pair in enumerate(TABLE)])
    pq.write_table(table, folder / "in" / "b.parquet")
    clean_here(folder / "in", folder / "out", "policy=default-instruction", "duplicates.near={threshold: 0.7}")
    return folder / "out"


def test_other_answers_to_a_prompt_stay(run: Path) -> None:
    kept = [row["n"] for row in lines(run / "good" / "a.jsonl")]
    dropped = {row["n"]: row["clean_reasons"] for row in lines(run / "bad" / "a.jsonl")}
    # of near duplicates the longest stays, which is 7: it and 6 answer nearly the same prompt differently
    assert kept == [0, 1, 3, 6, 7, 8]
    assert dropped == {2: ["exact_duplicate"], 4: ["minimum_length"], 5: ["near_duplicate"]}
    table = [pq.read_table(run / folder / "b.parquet").to_pylist() for folder in ("good", "bad")]
    assert [[row["output"] for row in rows] for rows in table] == [["The Volga.", "Bonn."], ["The Po."]]


def test_they_are_gathered_by_prompt_and_only_they(run: Path) -> None:
    groups = pl.read_parquet(run / "run" / "work" / "prompt_groups.parquet")
    assert groups.columns == ["prompt_group", "id", "source_file", "source_row"]
    found: dict[str, list[tuple[str, int]]] = {}
    for group, _, file, number in groups.iter_rows():
        found.setdefault(group, []).append((file, number))
    assert list(found.values()) == [
        [("a.jsonl", 0), ("a.jsonl", 1), ("b.parquet", 1)],
        [("a.jsonl", 6), ("a.jsonl", 7)],
    ]
    ledger = pl.read_parquet(sorted((run / "ledger").iterdir()))
    ids = {(row["source_file"], row["source_row"]): row for row in ledger.iter_rows(named=True)}
    for group, given, file, number in groups.iter_rows():
        assert ids[file, number]["id"] == given and ids[file, number]["status"] == "kept"
        assert group == ids[found[group][0]]["id"], "a group is called by its first row"


def test_the_report_counts_them(run: Path) -> None:
    assert "5 kept rows share their prompt" in (run / "report.html").read_text()
    told = json.loads((run / "run" / "reports" / "prompt-groups.json").read_text())
    assert (told["prompt_groups"], told["rows"]) == (2, 5)


def test_a_table_of_answers_has_one_text_per_row(tmp_path: Path) -> None:
    """prompt_id, generator, output: the answers are documents; rows of other prompts with one answer are copies."""
    rows = [{"prompt_id": n, "generator": "g", "output": text} for n, text in enumerate(["a <b>b</b>", "c", "c"])]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "answers.parquet")
    given = ("policy=default-instruction", "text_field=output", "name=answers")
    counts = clean_here(tmp_path / "answers.parquet", tmp_path / "out", *given)["counts"]
    assert (counts["kept"], counts["by_reason"]) == (2, {"exact_duplicate": 1})
    good = pq.read_table(tmp_path / "out" / "good" / "answers.parquet").to_pylist()
    assert [(row["prompt_id"], row["generator"], row["output"]) for row in good] == [(0, "g", "a b"), (1, "g", "c")]
