"""What was measured is read by name; what is not there is answered by the nearest that is."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from data_pipeline.attributes.store import load_attribute, load_columns
from utils.data.records import write_parquet
from utils.errors import UserError


def put(run: Path, name: str, *parts: dict[str, list[object]]) -> None:
    folder = run / "attributes" / name
    folder.mkdir(parents=True)
    tables = [pa.table(part) for part in parts]
    for number, table in enumerate(tables):
        write_parquet(table, folder / f"part-{number:05d}.parquet")
    files = [f"part-{number:05d}.parquet" for number in range(len(tables))]
    manifest = {"columns": {field.name: str(field.type) for field in tables[0].schema}, "parts": files}
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    put(tmp_path, "statistics", {"id": ["a"], "n": [1], "m": [5]}, {"id": ["b"], "n": [2], "m": [6]})
    put(tmp_path, "score", {"id": ["b", "c"], "value": [0.5, 0.25]})
    return tmp_path


def test_parts_are_put_together(run: Path) -> None:
    assert load_attribute(run, "statistics", ["n"]).to_dict(as_series=False) == {"id": ["a", "b"], "n": [1, 2]}


def test_columns_of_several_attributes_are_joined_and_absent_ones_stay_null(run: Path) -> None:
    joined = load_columns(run, ["statistics.n", "score.value", "statistics.n"]).sort("id")
    expected = {"id": ["a", "b", "c"], "statistics.n": [1, 2, None], "score.value": [None, 0.5, 0.25]}
    assert joined.to_dict(as_series=False) == expected
    assert joined["statistics.n"].dtype == pl.Int64


@pytest.mark.parametrize(
    ("name", "message"),
    [("statistic.n", "nearest: statistics"), ("score.valeu", "nearest: value")],
)
def test_what_is_not_there_names_the_nearest(run: Path, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_columns(run, [name])
