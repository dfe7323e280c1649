"""Bad steps, hangs, full disks: without a trainer."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from collections import namedtuple
from types import SimpleNamespace

import pytest
import torch

from tests.support.tiny import child_environment
from utils.errors import RetryLaterError, StageFailedError
from utils.training.config import TrainingConfig
from utils.training.watch import MEDIAN_FROM, BadSteps, DiskAlarm, finite_gradients, full_disk_told

ARGS = SimpleNamespace(fp16=False)


def watching(**keys) -> BadSteps:
    config = TrainingConfig(output="o", model="m", learning_rate=1, **keys)
    trainer = SimpleNamespace(
        _tr_loss=torch.tensor(0.0), step_rows=[torch.tensor([2, 0])], step_loss=None, is_deepspeed_enabled=False
    )
    return BadSteps(SimpleNamespace(config=config, log=logging.getLogger("test")), trainer, ["a", "b", "c"])


def step(watch: BadSteps, loss: float, gradient: float = 1.0, number: int = 0) -> torch.nn.Module:
    model = torch.nn.Linear(2, 1)
    for weight in model.parameters():
        weight.grad = torch.full_like(weight, gradient)
    watch.trainer.step_loss = torch.tensor(loss)
    watch.on_pre_optimizer_step(ARGS, SimpleNamespace(global_step=number), None, model=model)
    return model


@pytest.mark.parametrize(("loss", "gradient", "what"), [
    (float("nan"), 1.0, "the loss is nan"),
    (1.0, float("inf"), "the gradient is not finite"),
])  # fmt: skip
def test_the_first_bad_step_ends_the_run_and_names_its_rows(loss, gradient, what):
    with pytest.raises(StageFailedError, match=f"{what} at step 8, rows c, a;"):
        step(watching(), loss, gradient, number=7)


def test_bad_steps_are_left_out_until_there_are_too_many_in_a_row(caplog):
    watch = watching(bad_steps=3)
    for gradient in (float("nan"), float("nan"), 1.0, float("nan"), float("nan")):
        model = step(watch, 1.0, gradient)
        assert (model.weight.grad is None) == (gradient != 1.0)  # no gradient: the optimizer passes over it
    assert "bad step 2 of at most 3 in a row" in caplog.text
    with pytest.raises(StageFailedError):
        step(watch, 1.0, float("nan"))


def test_a_step_without_gradients_changes_nothing():
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.0, weight_decay=0.5)
    before = model.weight.clone()
    model.weight.grad = torch.ones_like(model.weight)
    model.zero_grad(set_to_none=True)
    optimizer.step()
    assert torch.equal(model.weight, before)
    assert not optimizer.state


def test_a_spike_is_measured_by_the_running_median():
    watch = watching(spike=3.0, bad_steps=2)
    step(watch, 50.0)  # too early to be one
    for _ in range(MEDIAN_FROM):
        step(watch, 2.0)
    assert not watch.is_spike(5.9)
    model = step(watch, 7.0)
    assert model.weight.grad is not None  # the first of two is a step like others
    assert 7.0 not in watch.losses
    with pytest.raises(StageFailedError, match=r"the loss is 8, 3\.0 times its running median or more"):
        step(watch, 8.0)
    assert not watching().is_spike(1e9)  # off by default


def test_every_gradient_is_looked_at():
    model = torch.nn.Linear(2, 1)
    assert finite_gradients(model)
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)
    assert finite_gradients(model)
    model.bias.grad[0] = float("nan")
    assert not finite_gradients(model)


def test_what_a_checkpoint_keeps_goes_on():
    watch, again = watching(spike=3.0, bad_steps=2), watching(spike=3.0, bad_steps=2)
    for _ in range(MEDIAN_FROM):
        step(watch, 2.0)
    step(watch, 7.0)
    again.carry_on(watch.carried())
    with pytest.raises(StageFailedError, match="the loss is 8"):
        step(again, 8.0)


def test_a_loss_that_was_not_finite_does_not_stay_in_the_next_lines():
    watch = watching(bad_steps=3)
    watch.trainer._tr_loss -= float("nan")
    watch.on_log(ARGS, SimpleNamespace(global_step=1), None, logs={"eval_loss": 1.0})
    assert watch.trainer._tr_loss.isnan()  # of the line that is still to come
    watch.on_log(ARGS, SimpleNamespace(global_step=1), None, logs={"loss": float("nan")})
    assert watch.trainer._tr_loss == 0


def test_a_first_adapter_checkpoint_needs_no_room_for_frozen_weights(alarm, monkeypatch):
    model = torch.nn.Linear(1000, 1)
    model.weight.requires_grad = False
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1000, 0, 12))  # the bias and two moments
    alarm.on_step_end(ARGS, None, SimpleNamespace(should_save=True), model=model)
    alarm.sharded = True
    with pytest.raises(RetryLaterError):
        alarm.on_step_end(ARGS, None, SimpleNamespace(should_save=True), model=model)


def test_a_disk_that_is_full_in_the_middle_of_a_checkpoint(tmp_path, monkeypatch):
    """What torch.save said on a full tmpfs."""
    said = "[enforce fail at inline_container.cc:672] . unexpected pos 292480 vs 292368"
    for free, kind in ((4096, RetryLaterError), (1 << 30, RuntimeError)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: Usage(1 << 40, 0, free))
        with pytest.raises(kind), full_disk_told(tmp_path):
            raise RuntimeError(said)
    with pytest.raises(RuntimeError, match="another"), full_disk_told(tmp_path):
        raise RuntimeError("another")


HANGS = """
import logging, sys, time
from pathlib import Path
from types import SimpleNamespace
from utils.training.watch import Watchdog
said = []
run = SimpleNamespace(inner=Path(sys.argv[1]), path=Path(sys.argv[1]), leader=True, set_state=said.append,
                      log=logging.getLogger())
def waits_for_data_that_never_comes():
    time.sleep(60)
with Watchdog(run, 0.4) as watchdog:
    for _ in range(8):
        time.sleep(0.1)
        watchdog.on_step_end()
    print("alive", flush=True)
    waits_for_data_that_never_comes()
"""


def test_a_hang_ends_with_75_and_the_stacks(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", HANGS, str(tmp_path)],
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=550,
    )
    assert (done.returncode, done.stdout) == (75, "alive\n"), done.stderr
    assert "waits_for_data_that_never_comes" in (tmp_path / "hang-rank-0.txt").read_text()
    assert "posttrain resume" in done.stderr


Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def alarm(tmp_path):
    run = SimpleNamespace(path=tmp_path, leader=True, log=logging.getLogger("test"))
    return DiskAlarm(run, tmp_path)


def save(alarm: DiskAlarm, monkeypatch, used: int, free: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1000, used, free))
    alarm.on_step_end(ARGS, None, SimpleNamespace(should_save=True), model=torch.nn.Linear(2, 1))


def test_disk_alarms_at_80_and_85_percent_once_each(alarm, monkeypatch, caplog):
    for used in (790, 801, 810, 849, 851, 900):
        save(alarm, monkeypatch, used, 10**9)
    assert [record.getMessage().split(" is ")[1].split(" full")[0] for record in caplog.records] == ["80 %", "85 %"]


def test_a_checkpoint_that_would_not_fit_is_not_begun(alarm, monkeypatch, tmp_path):
    needed = 3 * 4 * 3  # three weights, each with two moments, of four bytes
    save(alarm, monkeypatch, 0, needed)
    with pytest.raises(RetryLaterError, match="next checkpoint needs"):
        save(alarm, monkeypatch, 0, needed - 1)
    (tmp_path / "checkpoint-1").mkdir()
    (tmp_path / "checkpoint-1" / "x").write_bytes(bytes(100))
    with pytest.raises(RetryLaterError):
        save(alarm, monkeypatch, 0, 99)
