"""F2: the driver and its workers are killed at a change of a file; the same command again gives the same run.

Two points by default; with `--all` forty, drawn anew every day, of the some hundred changes of a small run. All of
them, about an hour: POSTTRAIN_KILLS=all.
"""

import datetime
import os
import random
import shutil
import signal

import pytest

from tests.faults.conftest import ROOT, clean_arguments, content


@pytest.fixture(scope="module")
def few(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("few")
    lines = (rows / "a.jsonl").read_text().splitlines()
    (folder / "a.jsonl").write_text("\n".join(lines[:120]) + "\nbroken\n")
    return folder


@pytest.fixture
def attempt(tmp_path, few, start):
    """Run the cleaning, ended at its Nth change below the run directory (0: never); return exit code and changes."""

    def go(at, output="out"):
        count = tmp_path / "count"
        count.write_text("0")
        kill = {"KILL_AT": str(at), "KILL_BELOW": str(tmp_path / output), "KILL_COUNT": str(count)}
        process = start(
            *clean_arguments(few, f"output={output}", "workers=1"),
            PYTHONPATH=str(ROOT / "tests/support/killed"),
            **kill,
        )
        process.communicate(timeout=120)
        return process.returncode, int(count.read_text() or 0)

    return go


@pytest.fixture
def undisturbed(tmp_path, attempt):
    code, changes = attempt(0, "calm")
    assert code == 0
    assert changes > 100
    return content(tmp_path / "calm"), changes


def check(at, tmp_path, attempt, expected):
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    code, _ = attempt(at)
    assert code == -signal.SIGKILL, f"change {at}"
    half = content(tmp_path / "out") if os.path.exists(tmp_path / "out") else {}
    whole = {name: data for name, data in half.items() if ".tmp." not in name}
    assert all(expected[name] == data for name, data in whole.items()), f"change {at}: half an artefact"
    assert attempt(0)[0] == 0, f"change {at}"
    assert content(tmp_path / "out") == expected, f"change {at}"
    assert not list((tmp_path / "out").rglob("*.tmp.*")), f"change {at}"


def test_killed_at_a_change_of_a_file(tmp_path, attempt, undisturbed):
    expected, changes = undisturbed
    for share in (0.35, 0.8):
        check(int(changes * share), tmp_path, attempt, expected)


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("first", [1, 2, 3, 4])
def test_killed_at_any_change_of_a_file(tmp_path, attempt, undisturbed, first):
    expected, changes = undisturbed
    points = range(first, changes, 4)
    if os.environ.get("POSTTRAIN_KILLS") != "all":
        points = sorted(random.Random(datetime.date.today().toordinal()).sample(points, 10))
    for at in points:
        check(at, tmp_path, attempt, expected)
