"""Two real ranks by Ray Train: as torchrun's, after a kill and after SIGTERM too."""

from __future__ import annotations

import json
import signal
from functools import partial

import psutil
import pytest

from tests.utils.training.launchers import runs
from tests.utils.training.launchers.runs import check_equal, checkpoint, finish, start, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.ray]


@pytest.fixture
def made(tiny_model, tmp_path):
    return partial(runs.make, tiny_model, tmp_path)


def rank_processes(driver: int, log: str) -> list[psutil.Process]:
    """The workers that write to a rank's log."""
    found = []
    for process in psutil.Process(driver).children(recursive=True):
        try:
            if any(file.path.endswith(log) for file in process.open_files()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_killed_and_stopped_it_comes_to_what_torchrun_comes_to(made, tmp_path):
    config = made("ray", kind="ray", restarts=1)
    driver = start(config)
    wait_for(checkpoint(config, 8), driver)
    (rank,) = rank_processes(driver.pid, "rank-1.log")
    rank.kill()
    wait_for(checkpoint(config, 16), driver)
    driver.send_signal(signal.SIGTERM)
    finish(driver, config, 143)
    assert json.loads((tmp_path / "ray" / "run" / "state.json").read_text())["state"] == "interrupted"
    said = finish(start(config), config)
    assert "resuming from" in said
    torchrun = made("torchrun")
    finish(start(torchrun), torchrun)
    check_equal(tmp_path / "ray", tmp_path / "torchrun")


def test_an_error_of_ours_is_not_tried_again(made, tmp_path):
    config = made("refused", kind="ray", restarts=3)
    (tmp_path / "chats.jsonl").write_text(json.dumps({"messages": [{"role": "user", "content": "hi"}]}) + "\n")
    assert "no row is left to train on" in finish(start(config), config, 2)
