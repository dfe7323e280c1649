"""The parts of care that need no trainer."""

from __future__ import annotations

import json

import torch

from utils.training.config import TrainingConfig
from utils.training.decisions import Decision, count
from utils.training.launch import rows_per_step, steps
from utils.training.metrics import keep_steps
from utils.training.rows import with_rows


def test_metrics_after_the_resumed_step_go(tmp_path):
    path = tmp_path / "metrics.jsonl"
    keep_steps(path, 3)  # nothing there yet
    path.write_text("".join(json.dumps({"step": n, "loss": n / 2}) + "\n" for n in (1, 2, 3, 4)) + '{"step": 5, "lo')
    keep_steps(path, 3)
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2, 3]
    keep_steps(path, 0)
    assert path.read_text() == ""


def test_a_line_cut_in_a_character_is_dropped(tmp_path):
    path = tmp_path / "samples.jsonl"
    path.write_bytes('{"step": 1, "answer": "好"}\n{"step": 1, "answer": "好'.encode()[:-1])
    keep_steps(path, 3)
    assert path.read_text(encoding="utf-8") == '{"step": 1, "answer": "好"}\n'


def test_collator_hands_on_row_numbers():
    collate = with_rows(lambda examples: {"n": len(examples)})
    batch = collate([{"row": 4}, {"row": 2}])
    assert batch["n"] == 2
    assert torch.equal(batch["row"], torch.tensor([4, 2]))


def test_counts_take_the_first_reason():
    decisions = [Decision("a", True, ("cut",)), Decision("b", False, ("x", "y")), Decision("c", False, ("x",))]
    counts = count(decisions)
    assert counts == {"in": 3, "kept": 1, "dropped": 2, "quarantined": 0, "by_reason": {"x": 2}}


def test_steps_by_hand(monkeypatch):
    config = TrainingConfig(output="o", model="m", learning_rate=1, batch_size=4, gradient_accumulation=2, epochs=3)
    assert rows_per_step(config) == 8
    assert steps(config, 20) == 9  # 8 + 8 + 4 rows, three times
    assert steps(config.model_copy(update={"max_steps": 5}), 20) == 5
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert rows_per_step(config) == 16
