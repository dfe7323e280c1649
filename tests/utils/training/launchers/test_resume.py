"""Two real ranks are killed, stopped and robbed of checkpoints in mid-epoch: the weights stay the same, bit by bit."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest

from tests.utils.training.launchers import runs
from tests.utils.training.launchers.runs import check_equal, checkpoint, finish, left, sealed, start, wait_for

ZERO_3 = {"deepspeed": {"zero": 3}}
LORA = {"peft": {"method": "lora", "dropout": 0.1}}
PACKED = {"batching": "packed", "batch_size": 1}
CASES = {
    "by length": ("torchrun", {}),
    "packed": ("torchrun", PACKED),
    "packed, lora": ("torchrun", {**PACKED, **LORA}),
    "zero 2, packed": ("torchrun", {**PACKED, "deepspeed": {"zero": 2}}),
    "zero 3": ("torchrun", ZERO_3),
    "zero 3, lora": ("torchrun", {**ZERO_3, **LORA}),
    "ray": ("ray", {"max_steps": 120}),  # so many that it is not done before its driver is struck
    "ray, zero 3, packed": ("ray", {**PACKED, **ZERO_3}),
}


@pytest.mark.slow
@pytest.mark.long
def test_a_killed_rank_ends_all_and_they_begin_again(made, tmp_path):
    config, out = made("struck", launch={"restarts": 1}), tmp_path / "struck"
    driver = start(config)
    wait_for(driver, config, step=6)
    ranks = runs.ranks(driver.pid)
    assert set(ranks) == {0, 1}
    recorded = {entry["pid"] for entry in json.loads((out / "run" / "processes.json").read_text())["processes"]}
    assert {process.pid for process in ranks.values()} <= recorded  # so that `posttrain stop` finds them
    ranks[1].kill()
    wait_for(driver, config, attempt=2)
    assert not runs.alive(ranks[0])
    said = finish(driver, config)
    assert "attempt-1: rank 1 ended without a word" in said and "SIGKILL" in said
    assert "Traceback" not in said and "[rank" not in said  # that is in the logs of the ranks
    assert resumed_in_mid_epoch(out)
    assert {path.name for path in (out / "run" / "ranks" / "attempt-2").iterdir()} == {
        "node-0.log", "rank-0.json", "rank-0.log", "rank-1.json", "rank-1.log",
    }  # fmt: skip
    straight = made("straight")
    finish(start(straight), straight)
    check_equal(out, tmp_path / "straight")


def resumed_in_mid_epoch(run: Path) -> list[int]:
    """The steps at which a run was taken up again; none of them may be the end of an epoch."""
    log = (run / "run" / "log.txt").read_text()
    steps = [int(step) for step in re.findall(r"resuming from .*/checkpoint-(\d+)", log)]
    sequences, per_step = map(int, re.search(r"in (\d+) sequences, (\d+) per step", log).groups())
    assert all(step % -(-sequences // per_step) for step in steps), (steps, sequences, per_step)
    return steps


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.deepspeed
@pytest.mark.timeout(1500)
@pytest.mark.parametrize(("kind", "more"), CASES.values(), ids=CASES)
def test_rank_driver_and_checkpoints_are_lost_one_after_another(made, tmp_path, kind, more):
    config, out = made("struck", launch={"kind": kind, "restarts": 1}, **more), tmp_path / "struck"
    driver = start(config)
    wait_for(driver, config, step=3)
    runs.ranks(driver.pid)[1].kill()
    wait_for(driver, config, step=max(9, sealed(config)[-1] + 1), attempt=2 if kind == "torchrun" else 1)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    # nobody tells them; node.py, or Ray, sees that the driver is gone. Ray's own agents take a minute to give up
    assert not left(out, patience_s=60 if kind == "torchrun" else 240)

    *_, middle, newest = sealed(config)
    next(checkpoint(config, newest).rglob("*.safetensors")).unlink()
    (checkpoint(config, middle) / "rng_state_1.pth").open("ab").write(b"x")
    said = finish(start(config), config)
    assert f"checkpoint-{newest} is not complete" in said and f"checkpoint-{middle} is not complete" in said
    assert len(resumed_in_mid_epoch(out)) == 2

    straight = made("straight", **more)
    finish(start(straight), straight)
    check_equal(out, tmp_path / "straight")


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("kind", ["torchrun", "ray"])
def test_the_driver_is_stopped_and_goes_on(made, tmp_path, kind, signum):
    config, out = made("stopped", launch={"kind": kind}), tmp_path / "stopped"
    driver = start(config)
    wait_for(driver, config, step=3)
    rank = runs.ranks(driver.pid)[0]
    rank.suspend()  # so that the run cannot come to its end before it hears of the signal
    try:
        if signum == signal.SIGTERM:
            driver.send_signal(signum)
        else:
            os.killpg(driver.pid, signum)  # as a terminal does it at Ctrl-C
        runs.asked_to_stop(driver, config)
    finally:
        rank.resume()
    said = finish(driver, config, 128 + signum)
    stopped = re.search(r"training stopped after step (\d+) of 20, checkpoint saved → posttrain resume", said)
    assert stopped and sealed(config)[-1] == int(stopped[1]) < runs.STEPS
    assert json.loads((out / "run" / "state.json").read_text())["state"] == "interrupted"
    assert f"checkpoint-{stopped[1]}" in finish(start(config), config)
    straight = made("straight")
    finish(start(straight), straight)
    check_equal(out, tmp_path / "straight")
