"""Only our own processes, told apart from any later owner of their pid (S8)."""

import subprocess
import sys
import time

import psutil
import pytest

from utils.runs.commit import replace_json
from utils.runs.processes import ProcessRecord, end_orphans, find, identity, provably_dead, stop_run


@pytest.fixture
def sleeper():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield child
    child.kill()
    child.wait()


def test_a_process_is_found_by_all_of_its_identity(sleeper):
    entry = identity(psutil.Process(sleeper.pid), "worker")
    assert find(entry).pid == sleeper.pid
    assert not provably_dead(entry)


@pytest.mark.parametrize("change", [{"start_time": 1}, {"uid": 12345}, {"boot_id": "another"}])
def test_another_process_with_the_same_pid_is_not_ours(sleeper, change):
    entry = identity(psutil.Process(sleeper.pid), "worker") | change
    assert find(entry) is None
    assert provably_dead(entry)


def test_a_process_of_another_host_is_never_provably_dead(sleeper):
    entry = identity(psutil.Process(sleeper.pid), "driver") | {"host": "elsewhere", "start_time": 1}
    assert find(entry) is None
    assert not provably_dead(entry)


def test_orphans_are_ended_and_a_reused_pid_survives(tmp_path, sleeper):
    decoy = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        entries = [identity(psutil.Process(p.pid), "worker") for p in (sleeper, decoy)]
        entries[1]["start_time"] -= 5
        replace_json(tmp_path / "run" / "processes.json", {"processes": entries})
        assert end_orphans(tmp_path) == 1
        assert sleeper.poll() is not None
        assert decoy.poll() is None
    finally:
        decoy.kill()
        decoy.wait()


def test_stop_without_a_living_driver_says_so(tmp_path):
    assert stop_run(tmp_path, grace_s=1) == {"run": str(tmp_path), "driver": "not running", "orphans": 0}


def test_children_are_recorded(tmp_path, sleeper):
    record = ProcessRecord(tmp_path)
    record.start()
    record.add_children("worker")
    text = (tmp_path / "run" / "processes.json").read_text()
    assert str(sleeper.pid) in text
    assert '"driver"' in text


def test_start_time_is_not_the_clock(sleeper, monkeypatch):
    entry = identity(psutil.Process(sleeper.pid), "worker")
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert find(entry) is not None
