"""Stages: each a training of its own that goes on from the last; a crash between or in them changes nothing."""

from __future__ import annotations

import json

import pytest

from postraining_sft.config import SftConfig
from postraining_sft.stages import summed, trainings
from postraining_sft.train import STAGE, dry_run
from tests.support.tiny import chats, computed, read_jsonl, weights, write_config, write_jsonl
from utils.runs.config import load_config
from utils.runs.stage import run_stage

pytestmark = pytest.mark.usefixtures("keep_handlers")


def test_what_a_stage_says_outdoes_the_run():
    config = SftConfig.model_validate(
        {
            "model": "m", "output": "o", "max_steps": 9, "learning_rate": 0.1,
            "stages": [
                {"name": "one", "data": ["a"], "max_steps": 2},
                {"name": "two", "data": ["b"], "epochs": 3, "learning_rate": 0.2},
                {"name": "three", "data": ["c"]},
            ],
        }
    )  # fmt: skip
    one, two, three = trainings(config)
    assert [stage.config.max_steps for stage in (one, two, three)] == [2, None, 9]
    assert [stage.config.learning_rate for stage in (one, two, three)] == [0.1, 0.2, 0.1]
    assert (two.config.epochs, three.config.epochs) == (3, 1)
    assert [stage.config.data[0].path.name for stage in (one, two, three)] == ["a", "b", "c"]
    assert [stage.into for stage in (one, two, three)] == ["stages/one/model", "stages/two/model", "model"]
    assert [stage.unit for stage in (one, two, three)] == ["model-one", "model-two", "model"]
    (whole,) = trainings(config.model_copy(update={"stages": [], "data": config.stages[0].data}))
    assert (whole.name, whole.unit, whole.into) == (None, "model", "model")


def test_counts_add_up():
    one = {"in": 3, "kept": 1, "dropped": 2, "quarantined": 0, "by_reason": {"x": 1, "y": 1}}
    assert summed([one, one]) == {"in": 6, "kept": 2, "dropped": 4, "quarantined": 0, "by_reason": {"x": 2, "y": 2}}


@pytest.fixture
def made(tiny_model, tmp_path):
    def make(name: str, **more):
        first = write_jsonl(tmp_path / "first.jsonl", chats(8))
        second = write_jsonl(tmp_path / "second.jsonl", chats(14)[8:])
        config = {
            "model": tiny_model, "output": tmp_path / name, "batch_size": 4, "learning_rate": 2e-3, "save_steps": 2,
            "eval": write_jsonl(tmp_path / "held.jsonl", chats(3)), "max_length": 128, "samples": ["Say the number 3"],
            "stages": [
                {"name": "one", "data": [first], "max_steps": 3},
                {"name": "two", "data": [second], "max_steps": 4, "learning_rate": 1e-3},
            ],
            **more,
        }  # fmt: skip
        return write_config(tmp_path / f"{name}.yaml", config)

    return make


def run(config) -> int:
    return run_stage(STAGE, ["--config", str(config), "--quiet"])


def test_two_stages_whole_and_crashed(made, tmp_path, monkeypatch):
    assert run(made("straight")) == 0
    out = tmp_path / "straight"
    lines = read_jsonl(out / "metrics.jsonl")
    trained = [(line["stage"], line["step"]) for line in lines if "loss" in line]
    assert trained == [("one", 1), ("one", 2), ("one", 3), ("two", 1), ("two", 2), ("two", 3), ("two", 4)]
    assert [(line["stage"], line["step"]) for line in lines if "eval_loss" in line] == [
        ("one", 2), ("one", 3), ("two", 2), ("two", 4),
    ]  # fmt: skip
    rates = {(line["stage"], line["step"]): line["lr"] for line in lines if "loss" in line}
    assert (rates["one", 1], rates["two", 1]) == (2e-3, 1e-3)  # a fresh schedule
    by_stage = {
        stage: [line["loss"] for line in lines if line["stage"] == stage and "loss" in line] for stage in ("one", "two")
    }
    assert by_stage["two"][0] < by_stage["one"][0]  # it goes on from where the first came to
    assert (out / "stages" / "one" / "model" / "config.json").exists()
    counts = json.loads((out / "manifest.json").read_text())["counts"]
    assert (counts["in"], counts["kept"]) == (14, 14)
    asked = [(line["stage"], line["step"]) for line in read_jsonl(out / "samples.jsonl")]
    assert asked == [("one", 0), ("one", 2), ("one", 3), ("two", 0), ("two", 2), ("two", 4)]
    page = (out / "report.html").read_text()
    assert "Say the number 3" in page
    assert "two: loss" in page
    assert dry_run(load_config(STAGE.model(), tmp_path / "straight.yaml"))["steps"] == 7

    from utils.training.metrics import WriteMetrics

    log, struck = WriteMetrics.on_log, []

    def die_in_the_second_stage(self, args, state, control, **more):
        if self.stage == "two" and state.global_step == 3 and not struck:
            struck.append(1)
            raise RuntimeError("crash")
        return log(self, args, state, control, **more)

    monkeypatch.setattr(WriteMetrics, "on_log", die_in_the_second_stage)
    config = made("crashed")
    assert run(config) == 1
    assert run(config) == 0
    assert struck
    assert weights(tmp_path / "crashed") == weights(out)
    assert computed(tmp_path / "crashed") == computed(out)
    assert read_jsonl(tmp_path / "crashed" / "samples.jsonl") == read_jsonl(out / "samples.jsonl")
