"""F2: the driver is killed at several points; the same command again gives what an undisturbed run gives."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.cleaning import clean_here

SETTINGS = ("policy=default-instruction", "partition_bytes=32768", "duplicates.near={threshold: 0.7}")
WORDS = ("river", "lake", "hill", "stone", "rain", "wind", "corn", "seed")


def files_of(run: Path) -> dict[str, bytes]:
    found = [p for folder in ("good", "bad", "quarantine", "ledger", "edits") for p in (run / folder).rglob("*")]
    found += [*run.glob("*-meta-info.json"), *run.glob("*-sample100.jsonl")]
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in found if path.is_file()}


def units(run: Path) -> dict[str, int]:
    """Return every committed unit and when its report was written."""
    return {path.name: path.stat().st_mtime_ns for path in (run / "run" / "reports").glob("*.json")}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows to change, exact and near copies, one that is broken."""
    folder = tmp_path_factory.mktemp("rows")
    drawn = random.Random(1)
    answers = [" ".join(drawn.choices(WORDS, k=60)) for _ in range(150)]
    answers += [f"{answer} and snow" for answer in answers[:60]] + answers[:40]
    rows = [{"instruction": f"q{answer[:30]}", "output": f"<b>a</b>\u200b {answer}"} for answer in answers]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text(text + "broken\n")
    return folder


def command(source: Path, output: Path) -> list[str]:
    chosen = [f"input={source}", f"output={output}", "executor=local", "workers=1", *SETTINGS]
    return [sys.executable, "-m", "posttrain", "clean", "--quiet", *(w for s in chosen for w in ("--set", s))]


@pytest.fixture(scope="module")
def undisturbed(source: Path, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    clean_here(source, output, *SETTINGS)
    return output


slow = pytest.mark.slow


@pytest.mark.parametrize(
    "unit",
    [
        pytest.param("first-", marks=slow),
        "dedup-band-",
        pytest.param("dedup-verified", marks=slow),
        pytest.param("duplicates", marks=slow),
        "second-",
        pytest.param("file-", marks=slow),
    ],
)
def test_killed_driver(unit: str, source: Path, undisturbed: Path, root: Path, tmp_path: Path) -> None:
    """Killed as soon as a unit of that name is committed."""
    output = tmp_path / "out"
    driver = subprocess.Popen(command(source, output), cwd=root)
    while not any(name.startswith(unit) for name in units(output)) and driver.poll() is None:
        time.sleep(0.002)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    assert not (output / "manifest.json").exists()
    before = units(output)
    assert before.keys() < units(undisturbed).keys()
    subprocess.run(command(source, output), cwd=root, check=True, timeout=120)
    assert files_of(output) == files_of(undisturbed)
    after = units(output)
    assert {name: after[name] for name in before} == before, "committed work is not done again"
    told = [json.loads((run / "manifest.json").read_text())["counts"] for run in (output, undisturbed)]
    assert told[0] == told[1]
    assert told[0]["by_reason"] == {"exact_duplicate": 40, "near_duplicate": 60}
