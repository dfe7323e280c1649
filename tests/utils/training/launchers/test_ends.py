"""How a run of two real ranks ends that cannot go on: one error, its exit code, nothing left, no try in vain."""

from __future__ import annotations

import json

import pytest

from tests.utils.training.launchers import runs
from tests.utils.training.launchers.runs import finish, start, wait_for


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize("kind", ["torchrun", "ray"])
def test_an_error_of_ours_is_told_once_and_not_tried_again(made, tmp_path, kind):
    config = made("refused", launch={"kind": kind, "restarts": 3})
    (tmp_path / "chats.jsonl").write_text(json.dumps({"messages": [{"role": "user", "content": "hi"}]}) + "\n")
    said = finish(start(config), config, 2)
    assert said.count("no row is left to train on") == 1
    assert "Traceback" not in said
    assert [path.name for path in (tmp_path / "refused" / "run" / "ranks").iterdir()] == ["attempt-1"]


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize("kind", ["torchrun", "ray"])
def test_no_restart_is_left(made, kind):
    config = made("lost", launch={"kind": kind})
    driver = start(config)
    wait_for(driver, config, step=3)
    runs.ranks(driver.pid)[0].kill()
    said = finish(driver, config, 1)
    assert "rank 0 ended without a word" in said and "posttrain resume" in said
    assert "Traceback" not in said
