"""Trackers with stand-in modules: they get the numbers, and they never stop a run."""

from __future__ import annotations

import logging
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from utils.training import trackers
from utils.training.config import TrainingConfig
from utils.training.trackers import Tracker, open_trackers, run_name


@pytest.fixture
def run(tmp_path):
    return SimpleNamespace(leader=True, inner=tmp_path, path=tmp_path / "r7", log=logging.getLogger("test"))


def config(*names: str) -> TrainingConfig:
    return TrainingConfig(output="o", model="models/tiny", learning_rate=1, trackers=list(names))


def test_mlflow_gets_the_numbers_and_writes_below_the_run(run, monkeypatch, tmp_path):
    calls = []
    names = ("set_tracking_uri", "set_experiment", "start_run", "log_metrics", "end_run")
    module = SimpleNamespace(**{name: lambda *a, name=name, **k: calls.append((name, a, k)) for name in names})
    monkeypatch.setitem(sys.modules, "mlflow", module)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tracker,) = open_trackers(run, config("mlflow"))
    tracker.send(3, {"loss": 1.5, "rewards/margins": 2, "stage": "one"})
    tracker.close()
    assert [name for name, *_ in calls] == list(names)
    assert calls[0][1] == ((tmp_path / "mlflow").as_uri(),)
    assert calls[3][1:] == (({"loss": 1.5, "rewards.margins": 2.0},), {"step": 3})


def test_tensorboard_gets_the_numbers(run, monkeypatch, tmp_path):
    scalars, closed = [], []

    def writer(folder):
        add = lambda name, value, step: scalars.append((folder, name, value, step))  # noqa: E731
        return SimpleNamespace(add_scalar=add, close=lambda: closed.append(1))

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=writer))
    (tracker,) = open_trackers(run, config("tensorboard"))
    tracker.send(4, {"loss": 0.5})
    tracker.close()
    assert (scalars, closed) == ([(str(tmp_path / "tensorboard"), "loss", 0.5, 4)], [1])


def test_one_that_is_not_installed_or_fails_is_warned_of_and_left_out(run, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    (tracker,) = open_trackers(run, config("mlflow"))
    tracker._thread.join(10)
    tracker.send(1, {"loss": 1.0})
    tracker.close()
    assert "mlflow fails and is left out" in caplog.text


def test_a_slow_one_is_never_waited_for(monkeypatch, caplog):
    monkeypatch.setattr(trackers, "_HELD", 4)
    monkeypatch.setattr(trackers, "_LAST_S", 0.1)
    released = threading.Event()
    tracker = Tracker("slow", lambda: (lambda *_: released.wait(60), lambda: None), logging.getLogger("test"))
    began = time.monotonic()
    for step in range(100):
        tracker.send(step, {"loss": 1.0})
    tracker.close()
    assert time.monotonic() - began < 20
    assert tracker.left_out >= 95
    assert caplog.text.count("slow is too slow") == 1
    released.set()


def test_only_the_leader_tracks(run):
    run.leader = False
    assert open_trackers(run, config("mlflow")) == []


def test_a_run_is_named_by_model_and_job(run, monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert run_name(run, config()) == "tiny r7"
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    assert run_name(run, config()) == "tiny 4711"


def test_the_real_trackers_take_the_numbers(run, monkeypatch):
    """The packages themselves: MLflow has refused its own file store since its third version."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "")
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE")
    monkeypatch.setattr(trackers, "_LAST_S", 120.0)
    opened = open_trackers(run, config("tensorboard", "mlflow"))
    for tracker in opened:
        tracker.send(3, {"loss": 0.25, "rewards/margins": 2.0, "stage": "one"})
        tracker.close()
    events = EventAccumulator(str(run.inner / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(3, 0.25)]
    (logged,) = (run.inner / "mlflow").rglob("metrics/rewards.margins")
    assert logged.read_text().split()[1:3] == ["2.0", "3"]
