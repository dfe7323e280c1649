"""F25: the committed rows do not depend on the executor, the number of workers or the size of a partition."""

import hashlib
import json

import polars as pl
import pytest

from tests.faults.conftest import clean_arguments, content, run_here

FOLDERS = ("good", "bad", "quarantine")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Rows with changes, drops, bad lines, exact and near copies across two files and far apart."""
    folder = tmp_path_factory.mktemp("mixed")
    for name in ("a", "b"):
        lines = []
        for number in range(700):
            words = [hashlib.sha256(f"{number % 500}-{word}".encode()).hexdigest()[:6] for word in range(30)]
            if number % 7 == 0:
                words[number % 30] = name  # a near copy of the other file's row
            text = " ".join(words) if number % 50 else ""
            lines.append(json.dumps({"instruction": f"q{number % 500}", "output": f"<b>{text}</b>"}))
        (folder / f"{name}.jsonl").write_text("\n".join([*lines, "broken"]) + "\n")
    return folder


@pytest.fixture
def clean(tmp_path, mixed, posttrain):
    def go(output, *settings):
        near = "duplicates.near.threshold=0.7"
        code, _, err = posttrain(*clean_arguments(mixed, near, f"output={output}", *settings))
        assert code == 0, err
        return tmp_path / output

    return go


def rows(run):
    """Return the SHA-256 of the sorted rows of each kind, and the counts."""
    found = {folder: sorted(_lines(run / folder)) for folder in FOLDERS}
    tables = {folder: pl.read_parquet(sorted((run / folder).glob("*.parquet"))) for folder in ("ledger", "edits")}
    found |= {name: sorted(map(str, table.iter_rows())) for name, table in tables.items()}
    hashes = {name: hashlib.sha256("\n".join(lines).encode()).hexdigest() for name, lines in found.items()}
    return {**hashes, "counts": json.loads((run / "manifest.json").read_text())["counts"]}


def _lines(folder):
    return [f"{path.name} {line}" for path in folder.glob("*") for line in path.read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.ray
def test_ray_and_another_layout_give_the_same_rows(clean, mixed, tmp_path):
    run_here(clean_arguments(mixed, "duplicates.near.threshold=0.7", f"output={tmp_path / 'one'}"))
    one = rows(tmp_path / "one")
    counts = one["counts"]
    assert (
        counts["in"] == 1402
        and counts["quarantined"] == 2
        and {"exact_duplicate", "near_duplicate"} <= counts["by_reason"].keys()
    )
    ray = clean("ray", "executor=ray", "workers=2", "partition_bytes=50000")
    assert rows(ray) == one
    execution = json.loads((ray / "manifest.json").read_text())["execution"]
    assert execution["executor"] == "ray" and len(execution["workers"]) > 1


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize("executor", ["local", "ray"])
def test_1_2_and_8_workers_and_three_layouts_give_the_same_rows(clean, executor):
    one = clean("one", "workers=1")
    for workers in (1, 2, 8):
        same = clean(f"same-{workers}", f"executor={executor}", f"workers={workers}")
        assert content(same) == content(one), "the same partitions: the same bytes"
    for size in (4096, 40_000, 1 << 20):
        other = clean(f"other-{size}", f"executor={executor}", "workers=8", f"partition_bytes={size}")
        assert rows(other) == rows(one), size
