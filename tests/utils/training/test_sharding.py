"""What DeepSpeed is configured with."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from utils.errors import UserError
from utils.training.config import DeepSpeedKeys, TrainingConfig
from utils.training.sharding import SHIPPED, deepspeed_json, shipped, stage_of

MEANT = [(0, "none"), *((zero, offload) for zero in (1, 2, 3) for offload in ("none", "optimizer")), (3, "all")]


@pytest.mark.parametrize(("zero", "offload"), MEANT)
def test_every_pair_of_keys_has_its_file(zero, offload):
    keys = DeepSpeedKeys(zero=zero, offload=offload)
    config = deepspeed_json(keys, on_cpu=False)
    stage = config["zero_optimization"]
    assert stage["stage"] == zero
    assert ("offload_optimizer" in stage) == (offload != "none")
    assert ("offload_param" in stage) == (offload == "all")
    assert stage.get("stage3_gather_16bit_weights_on_model_save", False) == (zero == 3)  # or nothing could be saved
    assert {key for key, value in config.items() if value == "auto"} == {
        "train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "gradient_clipping",
    }  # fmt: skip
    assert config["bf16"] == config["fp16"] == {"enabled": "auto"}


def test_no_file_is_left_over():
    meant = {shipped(DeepSpeedKeys(zero=zero, offload=offload)) for zero, offload in MEANT}
    assert meant == set(SHIPPED.iterdir())


def test_on_a_cpu_nothing_overlaps_and_no_memory_is_pinned():
    there, here = (deepspeed_json(DeepSpeedKeys(zero=3, offload="all"), on_cpu=on_cpu) for on_cpu in (False, True))
    assert there["zero_optimization"]["overlap_comm"] is True
    assert here["zero_optimization"]["overlap_comm"] is False
    pinned = [here["zero_optimization"][part]["pin_memory"] for part in ("offload_optimizer", "offload_param")]
    assert pinned == [False, False]


@pytest.mark.parametrize("keys", [{"zero": 2, "offload": "all"}, {"zero": 0, "offload": "optimizer"}])
def test_an_offload_that_has_nothing_to_move_is_refused(keys):
    with pytest.raises(ValidationError, match="offload"):
        DeepSpeedKeys(**keys)


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.json"
    keys = DeepSpeedKeys(config=path)
    config = TrainingConfig(output="o", model="m", learning_rate=1, deepspeed=keys)
    path.write_text(json.dumps({"zero_optimization": {"stage": 1}}))
    assert stage_of(config) == 1
    path.write_text("{}")
    assert stage_of(config) == 0
    for text in ("[1]", "{", json.dumps({"zero_optimization": 3})):
        path.write_text(text)
        with pytest.raises(UserError, match="no DeepSpeed configuration"):
            stage_of(config)
    path.write_text(json.dumps({"zero_optimization": {"stage": 7}}))
    with pytest.raises(UserError, match="no ZeRO stage 7"):
        stage_of(config)
    path.write_text(json.dumps({"optimizer": {"type": "Adam"}}))
    with pytest.raises(UserError, match="would have its own optimizer"):
        stage_of(config)
    path.unlink()
    with pytest.raises(UserError, match="no DeepSpeed configuration"):
        stage_of(config)
    assert stage_of(config.model_copy(update={"deepspeed": None})) is None
