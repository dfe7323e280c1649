"""F3, F22, S8: runs end in order, one owner at a time, and nobody else's process is touched."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.faults.conftest import clean_arguments, content, copy_checkout, run_here

SLOW = "partition_bytes=4096"  # many small units, so that a signal finds work waiting


def wait_for_units(run, count, process, timeout_s=60):
    deadline = time.monotonic() + timeout_s
    while len(list((run / "run" / "reports").glob("*.json"))) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def recorded(run):
    return json.loads((run / "run" / "processes.json").read_text())["processes"]


def left_alive(run, timeout_s=10):
    """Return the recorded processes that do not end within some seconds."""
    deadline = time.monotonic() + timeout_s
    while alive(run) and time.monotonic() < deadline:
        time.sleep(0.1)
    return alive(run)


def alive(run):
    return [entry["pid"] for entry in recorded(run) if psutil.pid_exists(entry["pid"])
            and psutil.Process(entry["pid"]).status() != psutil.STATUS_ZOMBIE]  # fmt: skip


@pytest.fixture
def running(tmp_path, rows, start):
    process = start(*clean_arguments(rows, SLOW, "workers=2"))
    wait_for_units(tmp_path / "out", 3, process)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_first_signal_ends_in_order_and_the_same_command_goes_on(running, tmp_path, rows, posttrain, signum, code):
    run = tmp_path / "out"
    began = time.monotonic()
    running.send_signal(signum)
    assert running.wait(30) == code
    assert time.monotonic() - began < 30
    assert json.loads((run / "run" / "state.json").read_text())["state"] == "interrupted"
    assert not (run / "manifest.json").exists()
    assert left_alive(run) == []
    assert not list(run.rglob("*.tmp.*"))
    if signum == signal.SIGINT:
        return
    done = {p.name: p.stat().st_mtime_ns for p in (run / "run" / "reports").glob("*.json")}
    assert posttrain("resume", "out")[0] == 0
    after = {p.name: p.stat().st_mtime_ns for p in (run / "run" / "reports").glob("*.json")}
    assert {name: after[name] for name in done} == done
    run_here(clean_arguments(rows, SLOW, f"output={tmp_path / 'again'}"))
    assert content(run) == content(tmp_path / "again")


def test_second_signal_is_immediate(running, tmp_path):
    running.send_signal(signal.SIGTERM)
    time.sleep(0.05)  # two signals of one kind sent at once are delivered as one
    running.send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert running.wait(5) == 143
    assert time.monotonic() - began < 1
    assert left_alive(tmp_path / "out") == []


def test_stop_names_what_it_did_and_status_shows_it(running, tmp_path, posttrain):
    code, out, _ = posttrain("stop", "out", "--json")
    assert (code, json.loads(out)) == (0, [{"run": str(tmp_path / "out"), "driver": "stopped", "orphans": 0}])
    assert running.wait(5) == 143
    rows = json.loads(posttrain("status", "out", "--json")[1])
    assert (rows[0]["state"], rows[0]["verb"]) == ("interrupted", "clean")


def test_a_killed_driver_shows_as_killed_and_its_workers_end(running, tmp_path, posttrain):
    running.kill()
    running.wait()
    assert json.loads(posttrain("status", "out", "--json")[1])[0]["state"] == "killed"
    assert left_alive(tmp_path / "out") == []


def test_bare_stop_ends_this_checkouts_runs_and_no_decoy(tmp_path, rows, start):
    """In a copy of the checkout, so that no run of the person who runs the tests is touched."""
    program = copy_checkout(tmp_path / "house")
    decoy_program = tmp_path / "decoy" / "posttrain.py"
    decoy_program.parent.mkdir()
    decoy_program.write_text("import time\ntime.sleep(60)\n")
    decoy = start("clean", program=decoy_program)  # our name, another's process
    (tmp_path / "fake" / "run").mkdir(parents=True)
    holder = "import sys, time; lock = open(sys.argv[1], 'w'); print('open', flush=True); time.sleep(60)"
    posing = subprocess.Popen([sys.executable, "-c", holder, str(tmp_path / "fake" / "run" / "owner.lock")],
                              stdout=subprocess.PIPE)  # fmt: skip
    posing.stdout.readline()
    other = start(*clean_arguments(rows, SLOW, "output=other"))  # a real run, of another checkout
    ours = start(*clean_arguments(rows, SLOW), program=program)
    try:
        wait_for_units(tmp_path / "out", 2, ours)
        stopping = start("stop", "--json", program=program)
        out, err = stopping.communicate(timeout=90)
        assert [Path(one["run"]).name for one in json.loads(out)] == ["out"], err
        assert ours.wait(30) == 143
        assert decoy.poll() is None
        assert posing.poll() is None
        assert other.wait(120) == 0
    finally:
        for process in (decoy, posing, other, ours):
            process.kill()
            process.wait()


def test_parallel_starts_do_the_work_once(tmp_path, rows, start):
    contenders = [start(*clean_arguments(rows, SLOW)) for _ in range(5)]
    outcomes = [(p.communicate(timeout=200)[1], p.returncode) for p in contenders]
    assert {code for _, code in outcomes} <= {0, 2}
    assert sum("done: in 3002" in err for err, _ in outcomes) == 1
    assert all("in use by pid" in err for err, code in outcomes if code == 2)
    assert all("done: in" in err or "is done already" in err for err, code in outcomes if code == 0)


def test_stop_of_no_run_is_one_line_and_exit_2(tmp_path, posttrain):
    code, _, err = posttrain("stop", str(tmp_path))
    assert code == 2
    assert err.count("\n") == 1
    assert os.path.basename(tmp_path) in err
