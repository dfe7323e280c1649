"""Two real ranks under our supervisor: a rank is killed, the driver is stopped, the result is the same."""

from __future__ import annotations

import json
import os
import signal
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.utils.training.launchers import runs
from tests.utils.training.launchers.runs import check_equal, checkpoint, finish, start, torchrun_ranks, wait_for


@pytest.fixture
def made(tiny_model, tmp_path):
    return partial(runs.make, tiny_model, tmp_path)


def straight(made, tmp_path) -> Path:
    config = made("straight")
    finish(start(config), config)
    return tmp_path / "straight"


@pytest.mark.long
def test_a_killed_rank_ends_all_and_they_begin_again(made, tmp_path):
    config, out = made("struck", restarts=1), tmp_path / "struck"
    driver = start(config)
    wait_for(checkpoint(config, 8), driver)
    ranks = torchrun_ranks(driver.pid)
    assert set(ranks) == {0, 1}
    recorded = {entry["pid"] for entry in json.loads((out / "run" / "processes.json").read_text())["processes"]}
    assert {process.pid for process in ranks.values()} <= recorded  # so that `posttrain stop` finds them
    ranks[1].kill()
    wait_for(out / "run" / "ranks" / "attempt-2", driver)
    assert not ranks[0].is_running() or ranks[0].status() == psutil.STATUS_ZOMBIE
    finish(driver, config)
    log = (out / "run" / "log.txt").read_text()
    assert "attempt-1: " in log and "rank 1 ended without a word" in log
    assert "resuming from" in log
    assert len(list((out / "run" / "ranks" / "attempt-2").rglob("stderr.log"))) == 2  # a log for each rank
    check_equal(out, straight(made, tmp_path))


@pytest.mark.slow
def test_sigterm_and_a_killed_driver(made, tmp_path):
    config, out = made("stopped"), tmp_path / "stopped"
    first = start(config)
    wait_for(checkpoint(config, 4), first)
    first.send_signal(signal.SIGTERM)
    finish(first, config, 143)
    assert json.loads((out / "run" / "state.json").read_text())["state"] == "interrupted"

    second = start(config)
    wait_for(checkpoint(config, 16), second)
    ranks = list(torchrun_ranks(second.pid).values())
    os.kill(second.pid, signal.SIGKILL)
    second.wait()
    _, alive = psutil.wait_procs(ranks, timeout=60)  # nobody tells them; node.py sees that the driver is gone
    assert not alive

    finish(start(config), config)
    check_equal(out, straight(made, tmp_path))


@pytest.mark.slow
def test_no_restart_is_left_or_would_help(made, tmp_path):
    config = made("lost")
    driver = start(config)
    wait_for(checkpoint(config, 4), driver)
    torchrun_ranks(driver.pid)[0].kill()
    said = finish(driver, config, 1)
    assert "rank 0 ended without a word" in said and "posttrain resume" in said

    config = made("refused", restarts=3)
    (tmp_path / "chats.jsonl").write_text(json.dumps({"messages": [{"role": "user", "content": "hi"}]}) + "\n")
    assert "no row is left to train on" in finish(start(config), config, 2)
    assert [path.name for path in (tmp_path / "refused" / "run" / "ranks").iterdir()] == ["attempt-1"]
