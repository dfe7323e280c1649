"""Against earlier runs: what they kept is not kept again; what cannot be used is refused in one line."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.cleaning.duplicates.here import documents
from tests.support.cleaning import clean_here

NEAR = "duplicates.near={unit: character, bands: 64, rows: 2, survivor: first}"


def clean(source: Path, output: Path, *settings: str, code: int = 0) -> Path:
    clean_here(source, output, "policy=[]", NEAR, *settings, code=code)
    return output


def kept(run: Path) -> list[str]:
    return [json.loads(line)["text"] for path in sorted((run / "good").iterdir()) for line in path.open()]


def ledger(run: Path) -> pl.DataFrame:
    return pl.read_parquet(sorted((run / "ledger").iterdir())).sort("source_file", "source_row")


def families(seed: int, number: int) -> list[str]:
    """Return texts in families: within one all are near-equal, across two none are."""
    draw = random.Random(seed)
    bases = ["".join(chr(0x4E00 + 211 * family + draw.randrange(200)) for _ in range(150)) for family in range(12)]
    return [draw.choice(bases) + draw.choice(["", "。", "！", str(draw.randrange(9))]) for _ in range(number)]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    documents(folder / "a.jsonl", families(0, 12))
    return clean(folder / "a.jsonl", folder / "run")


def test_the_same_rows_survive_as_in_one_run_over_both(first: Path, tmp_path: Path) -> None:
    new = [*families(0, 40), "一篇全新的文章，与前面的任何一篇都没有相同的地方，所以应当留下来。" * 2]
    documents(tmp_path / "new/b.jsonl", new)
    shutil.copytree(tmp_path / "new", tmp_path / "both")
    shutil.copy(first.parent / "a.jsonl", tmp_path / "both/a.jsonl")
    both = clean(tmp_path / "both", tmp_path / "whole")
    after = clean(tmp_path / "new", tmp_path / "after", f"duplicates.earlier=[{first}]")
    assert kept(first) + kept(after) == kept(both)
    assert 1 < len(kept(after)) < len(new) / 2
    columns = ("id", "status", "cluster")  # what an earlier run dropped is not there to be named as `duplicate_of`
    joint = ledger(both).filter(pl.col("source_file") == "b.jsonl")
    assert ledger(after).select(columns).rows() == joint.select(columns).rows()
    manifest = json.loads((after / "manifest.json").read_text())
    assert manifest["parents"] == [str(first)]
    third = clean(tmp_path / "new", tmp_path / "third", f"duplicates.earlier=[{first}, {after}]")
    assert kept(third) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("duplicates.near.size=4", "other settings: near {'size': 5}, here {'size': 4}"),
        ("duplicates.normalise=false", "other settings: normalise True, here False"),
    ],
)
def test_other_settings_are_refused(
    first: Path, settings: str, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    documents(tmp_path / "b.jsonl", families(2, 3))
    clean(tmp_path / "b.jsonl", tmp_path / "out", f"duplicates.earlier=[{first}]", settings, code=2)
    said = capfd.readouterr().err
    assert message in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("manifest.json", "is not finished"),
        ("run/work/duplicates/parts.json", "parts.json is gone"),
        ("run/work/duplicates/*.signatures.npy", "signatures.npy is gone"),
        ("run/reports/duplicates.json", "nothing to compare with"),
    ],
)
def test_what_is_lost_is_told(
    first: Path, lost: str, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    documents(tmp_path / "b.jsonl", families(2, 3))
    shutil.copytree(first, tmp_path / "broken")
    for path in (tmp_path / "broken").glob(lost):
        path.unlink()
    clean(tmp_path / "b.jsonl", tmp_path / "out", f"duplicates.earlier=[{tmp_path / 'broken'}]", code=2)
    said = capfd.readouterr().err
    assert message in said and "broken" in said and said.count("\n") == 1


def test_a_moved_run_can_still_be_compared_with(first: Path, tmp_path: Path) -> None:
    documents(tmp_path / "b.jsonl", families(0, 12))
    shutil.copytree(first, tmp_path / "moved")
    shutil.copytree(tmp_path / "moved", tmp_path / "again")
    arguments: list[Any] = [tmp_path / "b.jsonl", tmp_path / "out", f"duplicates.earlier=[{tmp_path / 'again'}]"]
    assert kept(clean(*arguments)) == []


def test_a_run_without_near_duplicates_is_compared_exactly(first: Path, tmp_path: Path) -> None:
    text = kept(first)[0]
    documents(tmp_path / "b.jsonl", [text + "。。", text])
    run = clean(tmp_path / "b.jsonl", tmp_path / "out", f"duplicates.earlier=[{first}]", "duplicates.near=null")
    assert kept(run) == [text + "。。"]
