"""F2: the driver is killed at several points; the same command again gives what an undisturbed run gives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


def files_of(run: Path) -> dict[str, bytes]:
    found = [p for folder in ("good", "bad", "quarantine", "ledger", "edits") for p in (run / folder).rglob("*")]
    found += [*run.glob("*-meta-info.json"), *run.glob("*-sample100.jsonl")]
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in found if path.is_file()}


def units(run: Path) -> dict[str, int]:
    """Return every committed unit and when its report was written."""
    return {path.name: path.stat().st_mtime_ns for path in (run / "run" / "reports").glob("*.json")}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    rows = [{"instruction": f"q{i % 900}", "output": f"<b>a{i % 900}</b>\u200b " * 3} for i in range(1000)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text(text + "broken\n")
    return folder


def command(source: Path, output: Path) -> list[str]:
    chosen = [f"input={source}", f"output={output}", "policy=default-instruction", "executor=local", "workers=2"]
    chosen += ["partition_bytes=8192"]
    return [sys.executable, "-m", "posttrain", "clean", "--quiet", *(w for s in chosen for w in ("--set", s))]


@pytest.fixture(scope="module")
def undisturbed(source: Path, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    subprocess.run(command(source, output), cwd=root, check=True, timeout=120)
    return output


@pytest.mark.parametrize(
    "share", [pytest.param(0.1, marks=pytest.mark.slow), 0.5, pytest.param(0.7, marks=pytest.mark.slow), 0.95]
)
def test_killed_driver(share: float, source: Path, undisturbed: Path, root: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    enough = max(1, int(share * len(units(undisturbed))))
    driver = subprocess.Popen(command(source, output), cwd=root)
    while len(units(output)) < enough and driver.poll() is None:
        time.sleep(0.002)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    assert not (output / "manifest.json").exists()
    before = units(output)
    subprocess.run(command(source, output), cwd=root, check=True, timeout=120)
    assert files_of(output) == files_of(undisturbed)
    after = units(output)
    assert {name: after[name] for name in before} == before, "committed work is not done again"
    told = [json.loads((run / "manifest.json").read_text())["counts"] for run in (output, undisturbed)]
    assert told[0] == told[1]
