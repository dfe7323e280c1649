"""SFT runs of a tiny model: the loss by hand, crashes, signals, two ranks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from postraining_sft.train import STAGE, dry_run
from tests.support.tiny import (
    chats,
    child_environment,
    command,
    computed,
    read_jsonl,
    weights,
    write_config,
    write_jsonl,
)
from utils.models.locate import load_model
from utils.runs.config import load_config
from utils.runs.stage import run_stage

pytestmark = pytest.mark.usefixtures("keep_handlers")


@pytest.fixture
def made(tiny_model, tmp_path):
    """Write a config: 14 rows, 4 per step, so that a checkpoint every 3 steps falls into the middle of an epoch."""

    def make(name: str, **more) -> Path:
        data = write_jsonl(tmp_path / "chats.jsonl", chats())
        config = {
            "model": tiny_model,
            "data": [data],
            "output": tmp_path / name,
            "max_steps": 8,
            "batch_size": 4,
            "learning_rate": 2e-3,
            "save_steps": 3,
            "max_length": 128,
            **more,
        }
        return write_config(tmp_path / f"{name}.yaml", config)

    return make


def run(config: Path) -> int:
    return run_stage(STAGE, ["--config", str(config), "--quiet"])


def test_the_last_step_is_logged_however_rarely_steps_are(made, tmp_path):
    assert run(made("rare", max_steps=3, logging_steps=50)) == 0
    assert [line["step"] for line in read_jsonl(tmp_path / "rare" / "metrics.jsonl")] == [3]
    assert run(made("some", max_steps=5, logging_steps=2)) == 0
    assert [line["step"] for line in read_jsonl(tmp_path / "some" / "metrics.jsonl")] == [2, 4, 5]


def test_a_finished_training_without_a_logged_line_resumes(made, tmp_path, monkeypatch):
    from utils.training import care

    def killed(*_):
        raise RuntimeError("killed between the last step and the commit")

    monkeypatch.setattr(care, "publish_model", killed)
    config = made("cut", max_steps=3, logging_steps=50)
    assert run(config) == 1
    monkeypatch.undo()
    (tmp_path / "cut" / "run" / "metrics.jsonl").unlink()  # as an earlier version left it
    assert run(config) == 0
    assert (tmp_path / "cut" / "metrics.jsonl").read_text() == ""


def test_loss_of_the_first_step_by_hand(made, tiny_model, tmp_path):
    """All rows in one batch: mean cross-entropy over the assistants' tokens, end tokens included, nothing else."""
    assert run(made("whole", max_steps=1, batch_size=14)) == 0
    model, total, tokens = load_model(tiny_model).eval(), 0.0, 0
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    for chat in chats():
        user, assistant = (message["content"] for message in chat["messages"])
        asked = f"<|begin|><|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"
        prompt = tokenizer(asked, add_special_tokens=False)["input_ids"]
        answer = tokenizer(assistant + "<|im_end|>", add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logits = model(torch.tensor([prompt + answer])).logits[0]
        for place, token in enumerate(answer, start=len(prompt)):
            total -= float(torch.log_softmax(logits[place - 1], -1)[token])
            tokens += 1
    line = read_jsonl(tmp_path / "whole" / "metrics.jsonl")[0]
    assert line["step"] == 1
    assert line["loss"] == pytest.approx(total / tokens, abs=1e-4)


def test_outputs(made, tmp_path):
    config = made("out", max_length=50, eval=str(write_jsonl(tmp_path / "held.jsonl", chats(3))))
    assert run(config) == 0
    out = tmp_path / "out"
    ledger = pq.read_table(out / "ledger" / "decisions.parquet").to_pylist()
    counts = json.loads((out / "manifest.json").read_text())["counts"]
    assert counts["in"] == 14 == len(ledger)
    assert counts["kept"] == sum(row["status"] == "kept" for row in ledger) < 14
    assert counts["by_reason"] == {"over_length": 14 - counts["kept"]}
    assert {row["into"] for row in ledger if row["status"] == "kept"} == {"out"}
    lines = read_jsonl(out / "metrics.jsonl")
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 9))
    assert [line["step"] for line in lines if "eval_loss" in line] == [3, 6, 8]  # and at the end
    assert {"loss", "lr", "grad_norm", "tokens"} <= lines[0].keys()
    from transformers import AutoModelForCausalLM, AutoTokenizer

    AutoModelForCausalLM.from_pretrained(out / "model")
    assert AutoTokenizer.from_pretrained(out / "model").chat_template
    assert not list(out.rglob("*.bin"))  # no pickle that nobody reads
    assert run(config) == 0  # done already


def test_dry_run(made):
    said = dry_run(load_config(STAGE.model(), made("dry", max_steps=None, epochs=2)))
    assert (said["rows"], said["steps"]) == (14, 8)
    assert said["tokens"] > 14


def test_a_crash_in_the_middle_of_an_epoch_changes_nothing(made, tmp_path, monkeypatch):
    assert run(made("straight", gradient_accumulation=1)) == 0
    from utils.training.care import SealCheckpoints

    seal = SealCheckpoints.on_save

    def die_while_saving_step_6(self, args, state, control, **more):
        if state.global_step == 6:
            raise RuntimeError("crash: the second checkpoint has no complete.json")
        return seal(self, args, state, control, **more)

    monkeypatch.setattr(SealCheckpoints, "on_save", die_while_saving_step_6)
    config = made("crashed")
    assert run(config) == 1
    monkeypatch.undo()
    assert not (tmp_path / "crashed" / "manifest.json").exists()
    assert run(config) == 0
    assert "checkpoint-6 is not complete" in (tmp_path / "crashed" / "run" / "log.txt").read_text()
    assert weights(tmp_path / "crashed") == weights(tmp_path / "straight")
    assert computed(tmp_path / "crashed") == computed(tmp_path / "straight")


def test_a_crash_after_the_last_step_changes_nothing(made, tmp_path, monkeypatch):
    assert run(made("straight")) == 0
    import utils.training.care

    def die(*_):
        raise RuntimeError("crash before the commit")

    monkeypatch.setattr(utils.training.care, "publish_model", die)
    config = made("crashed")
    assert run(config) == 1
    monkeypatch.undo()
    assert run(config) == 0
    assert weights(tmp_path / "crashed") == weights(tmp_path / "straight")


def test_gradient_that_is_not_finite_stops_and_names_rows(made, tiny_model, tmp_path):
    broken = tmp_path / "broken"
    model = load_model(tiny_model)
    with torch.no_grad():
        model.model.norm.weight[0] = float("nan")
    model.save_pretrained(broken)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (broken / name).write_bytes((tiny_model / name).read_bytes())
    assert run(made("nan", model=broken, max_steps=3, batch_size=2)) == 1
    log = (tmp_path / "nan" / "run" / "log.txt").read_text()
    assert "the loss is nan at step 1, rows" in log
    ids = pq.read_table(tmp_path / "nan" / "ledger" / "decisions.parquet")["id"].to_pylist()
    assert sum(record_id in log for record_id in ids) == 2
    assert not list((tmp_path / "nan").rglob("checkpoint-*"))


def bad_at(monkeypatch, *steps: int) -> None:
    """Make the loss of some steps NaN."""
    from utils.training.rows import TokenisedRows

    compute = TokenisedRows.compute_loss

    def sometimes_nan(self, *args, **kwargs):
        loss = compute(self, *args, **kwargs)
        return loss * float("nan") if self.model.training and self.state.global_step + 1 in steps else loss

    monkeypatch.setattr(TokenisedRows, "compute_loss", sometimes_nan)


def test_bad_steps_are_left_out_and_the_next_lines_are_numbers(made, tmp_path, monkeypatch):
    bad_at(monkeypatch, 4, 5, 7)
    assert run(made("nan", bad_steps=3)) == 0
    text = (tmp_path / "nan" / "metrics.jsonl").read_text()
    assert "NaN" not in text  # which is no JSON
    losses = {line["step"]: line["loss"] for line in map(json.loads, text.splitlines())}
    assert {step for step, loss in losses.items() if loss is None} == {4, 5, 7}
    assert (tmp_path / "nan" / "report.html").exists()
    bad_at(monkeypatch, 4, 5, 6)
    assert run(made("end", bad_steps=3)) == 1
    assert not (tmp_path / "end" / "model").exists()


def crash_at(monkeypatch, step: int) -> None:
    from utils.training.metrics import WriteMetrics

    finished = WriteMetrics.on_step_end

    def die(self, args, state, control, **more):
        if state.global_step == step:
            raise RuntimeError("crash")
        return finished(self, args, state, control, **more)

    monkeypatch.setattr(WriteMetrics, "on_step_end", die)


def test_a_line_of_the_log_that_spans_a_checkpoint_goes_on(made, tmp_path, monkeypatch):
    keys = {"logging_steps": 4, "gradient_accumulation": 2, "batch_size": 2}
    assert run(made("straight", **keys)) == 0
    with monkeypatch.context() as patch:
        crash_at(patch, 5)
        assert run(made("crashed", **keys)) == 1
    assert run(made("crashed", **keys)) == 0
    assert [line["step"] for line in computed(tmp_path / "straight")] == [4, 8]
    assert computed(tmp_path / "crashed") == computed(tmp_path / "straight")


def test_a_signal_asks_for_no_samples(made, tmp_path, monkeypatch):
    from utils.training.care import StopAtSignal

    assert run(made("straight", samples=["数到 3"])) == 0
    ended = StopAtSignal.on_step_end

    def signalled(self, args, state, control, **more):
        self.run.stop.requested = state.global_step == 5
        return ended(self, args, state, control, **more)

    with monkeypatch.context() as patch:
        patch.setattr(StopAtSignal, "on_step_end", signalled)
        assert run(made("struck", samples=["数到 3"])) == 143
    assert run(made("struck", samples=["数到 3"])) == 0
    both = [(tmp_path / name / "samples.jsonl").read_text() for name in ("straight", "struck")]
    assert both[0] == both[1]
    assert weights(tmp_path / "straight") == weights(tmp_path / "struck")


def test_tokens_are_counted_where_the_end_token_pads(made, tiny_model, tmp_path):
    model = shutil.copytree(tiny_model, tmp_path / "ends")
    said = json.loads((model / "tokenizer_config.json").read_text())
    (model / "tokenizer_config.json").write_text(json.dumps({**said, "pad_token": said["eos_token"]}))
    config = made("pad", model=model, batching="packed", max_steps=None, epochs=1)
    assert run(config) == 0
    rows = dry_run(load_config(STAGE.model(), config))
    assert read_jsonl(tmp_path / "pad" / "metrics.jsonl")[-1]["tokens"] == rows["tokens"]


@pytest.mark.parametrize("what", ["weight", "shape", "tokenizer"])
def test_a_model_that_is_not_whole_is_refused(made, tiny_model, tmp_path, capfd, what):
    """Transformers would draw weights at random that are not in the files."""
    from safetensors.torch import load_file, save_file

    model = shutil.copytree(tiny_model, tmp_path / "broken")
    if what == "tokenizer":
        for path in model.glob("tokenizer*"):
            path.unlink()
    else:
        tensors = load_file(model / "model.safetensors")
        name = "model.layers.1.mlp.up_proj.weight"
        tensors[name] = tensors[name][:-1].contiguous()
        if what == "weight":
            del tensors[name]
        save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    assert run(made("whole", model=model)) == 2
    said = {
        "weight": "weights are not in the files: model.layers.1",
        "shape": "have another shape",
        "tokenizer": "no us",
    }
    assert said[what] in capfd.readouterr().err.splitlines()[-1]


def wait_for(path: Path, process: subprocess.Popen) -> None:
    while not path.exists():
        assert process.poll() is None, "the run ended before the file was there"
        time.sleep(0.02)


def test_sigterm_and_kill_and_the_same_command_again(made, tmp_path):
    assert run(made("straight", max_steps=40, save_steps=7)) == 0
    config = made("struck", max_steps=40, save_steps=7)
    checkpoints = tmp_path / "struck" / "run" / "checkpoints"
    start = [*command("postraining_sft.train", config), "--quiet"]

    first = subprocess.Popen(start, env=child_environment(), cwd=tmp_path)
    wait_for(checkpoints / "checkpoint-7" / "complete.json", first)
    first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=60) == 143
    state = json.loads((tmp_path / "struck" / "run" / "state.json").read_text())
    assert state["state"] == "interrupted"

    second = subprocess.Popen(start, env=child_environment(), cwd=tmp_path)
    wait_for(checkpoints / "checkpoint-21" / "complete.json", second)
    second.kill()
    second.wait(timeout=60)

    assert run(config) == 0
    assert weights(tmp_path / "struck") == weights(tmp_path / "straight")
    assert computed(tmp_path / "struck") == computed(tmp_path / "straight")


@pytest.mark.slow
def test_two_ranks_from_a_folder_with_names_of_ours(made, tmp_path):
    foreign = tmp_path / "elsewhere"
    for name in ("utils/__init__.py", "tests/__init__.py", "cli.py"):
        (foreign / name).parent.mkdir(parents=True, exist_ok=True)
        (foreign / name).write_text("raise RuntimeError('the foreign one was imported')\n")
    config = made("ranks", max_steps=4, batch_size=2)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = child_environment() | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*torchrun, "-m", "postraining_sft.train", "--config", str(config)],
        env=environment,
        cwd=foreign,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    out = tmp_path / "ranks"
    assert [line["step"] for line in read_jsonl(out / "metrics.jsonl")] == [1, 2, 3, 4]
    seal = json.loads((out / "run" / "checkpoints" / "checkpoint-4" / "complete.json").read_text())
    assert seal["world_size"] == 2
    assert {"rng_state_0.pth", "rng_state_1.pth"} <= seal["files"].keys()
    # Two ranks with two rows each see the batches of one process with four. Not in step 4: the epoch's last batch is
    # short, and is filled up from the beginning so that no rank waits for the other.
    assert run(made("alone", max_steps=4, batch_size=4)) == 0
    assert os.path.getsize(out / "model" / "model.safetensors") == len(weights(tmp_path / "alone"))
    losses = [[line["loss"] for line in read_jsonl(tmp_path / name / "metrics.jsonl")] for name in ("ranks", "alone")]
    assert losses[0][:3] == pytest.approx(losses[1][:3], abs=1e-4)


def test_the_best_checkpoint_stays_beside_the_newest(made, tmp_path):
    """Trained on one thing and evaluated on another at a rate that is far too high: the loss soon rises again."""
    held = write_jsonl(tmp_path / "held.jsonl", chats(14)[10:])
    more = {"data": [str(write_jsonl(tmp_path / "few.jsonl", chats(3)))], "eval": str(held), "learning_rate": 0.05}
    assert run(made("best", **more, save_steps=1, keep_checkpoints=2, keep_best=True, max_steps=8)) == 0
    folder = tmp_path / "best" / "run" / "checkpoints"
    losses = {
        line["step"]: line["eval_loss"]
        for line in read_jsonl(tmp_path / "best" / "metrics.jsonl")
        if "eval_loss" in line
    }
    best = min(losses, key=losses.get)
    assert best < 7
    kept = {path.name for path in folder.glob("checkpoint-*")}
    assert kept == {f"checkpoint-{best}", "checkpoint-7", "checkpoint-8"}
    assert (folder / "best").resolve().name == f"checkpoint-{best}"
    assert (folder / "final").resolve().name == "checkpoint-8"


def test_a_spike_ends_the_run_and_names_its_rows(made, tmp_path, monkeypatch):
    from utils.training import watch

    monkeypatch.setattr(watch, "MEDIAN_FROM", 2)
    assert run(made("spike", learning_rate=5.0, spike=1.2, bad_steps=2, clip=1e9)) == 1
    log = (tmp_path / "spike" / "run" / "log.txt").read_text()
    assert "bad step 1 of at most 2 in a row: the loss is" in log
    assert "1.2 times its running median or more at step" in log


def test_training_goes_on_in_training_mode_after_an_evaluation(made, tmp_path, monkeypatch):
    from utils.training.care import SealCheckpoints

    modes = []
    seal = SealCheckpoints.on_save

    def look(self, args, state, control, **more):
        modes.append(more["model"].training)
        return seal(self, args, state, control, **more)

    monkeypatch.setattr(SealCheckpoints, "on_save", look)
    held = str(write_jsonl(tmp_path / "held.jsonl", chats(3)))
    assert run(made("mode", eval=held, samples=["hi"], save_steps=1, max_steps=2)) == 0
    assert modes == [True, True]


def test_an_adapter_is_trained_and_resumed(made, tiny_model, tmp_path, monkeypatch):
    keys = {"peft": {"method": "lora", "r": 4, "dropout": 0.1, "target_modules": "attention"}}
    assert run(made("straight", **keys)) == 0
    from utils.training.metrics import WriteMetrics

    log = WriteMetrics.on_log

    def die_at_step_5(self, args, state, control, **more):
        if state.global_step == 5:
            raise RuntimeError("crash two steps after the checkpoint")
        return log(self, args, state, control, **more)

    monkeypatch.setattr(WriteMetrics, "on_log", die_at_step_5)
    config = made("crashed", **keys)
    assert run(config) == 1
    monkeypatch.undo()
    assert run(config) == 0
    adapters = [
        (tmp_path / name / "model" / "adapter_model.safetensors").read_bytes() for name in ("straight", "crashed")
    ]
    assert adapters[0] == adapters[1]
    assert computed(tmp_path / "crashed") == computed(tmp_path / "straight")
    from utils.training.adapters import base_of, is_adapter

    assert is_adapter(tmp_path / "straight" / "model")
    assert base_of(tmp_path / "straight" / "model") == tiny_model
    lines = read_jsonl(tmp_path / "straight" / "metrics.jsonl")
    assert lines[-1]["loss"] < lines[0]["loss"]


def test_a_template_with_tokens_of_its_own(made, tmp_path):
    assert run(made("dolly", template="dolly", max_steps=2)) == 0
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(tmp_path / "dolly" / "model")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "dolly" / "model")
    assert "### End" in tokenizer.get_vocab()
    assert model.get_input_embeddings().weight.shape[0] == len(tokenizer)


def ranks(config: Path, folder: Path) -> str:
    """Train with two processes; return what they said."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, "-m", "postraining_sft.train", "--config", str(config)],
        env=child_environment() | {"OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=550,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr


def apart(one: Path, other: Path, name: str = "model.safetensors") -> float:
    """The largest difference between the weights of two runs; a tied weight may be stored twice."""
    from safetensors.torch import load_file

    first, second = (load_file(run / "model" / name) for run in (one, other))
    assert (first.keys() ^ second.keys()) <= {"lm_head.weight"}
    return max(float((first[key] - second[key]).abs().max()) for key in first.keys() & second.keys())


@pytest.mark.slow
@pytest.mark.deepspeed
def test_zero_2_and_zero_3_come_to_the_same_weights(made, tmp_path):
    two, three = (made(f"z{zero}", deepspeed={"zero": zero}, batch_size=2, max_steps=3) for zero in (2, 3))
    ranks(two, tmp_path)
    ranks(three, tmp_path)
    assert apart(tmp_path / "z2", tmp_path / "z3") < 1e-5
    seal = json.loads((tmp_path / "z3" / "run" / "checkpoints" / "final" / "complete.json").read_text())
    assert {f"global_step3/zero_pp_rank_{rank}_mp_rank_00_optim_states.pt" for rank in (0, 1)} <= seal["files"].keys()


@pytest.mark.slow
@pytest.mark.deepspeed
@pytest.mark.parametrize("more", [{}, {"peft": {"method": "lora"}}], ids=["full", "lora"])
def test_every_zero_stage_comes_to_the_weights_of_ddp(made, tmp_path, more):
    ranks(made("ddp", batch_size=2, max_steps=4, **more), tmp_path)
    for zero in (0, 1, 2, 3):
        ranks(made(f"z{zero}", deepspeed={"zero": zero}, batch_size=2, max_steps=4, **more), tmp_path)
        name = "adapter_model.safetensors" if more else "model.safetensors"
        assert apart(tmp_path / "ddp", tmp_path / f"z{zero}", name) < 1e-5


@pytest.mark.slow
@pytest.mark.deepspeed
@pytest.mark.parametrize("zero", [2, 3])
def test_deepspeed_resumes_exactly(made, tmp_path, zero):
    keys = {"deepspeed": {"zero": zero}, "batch_size": 2, "max_steps": 6}
    ranks(made("straight", **keys), tmp_path)
    config = made("struck", **keys)
    ranks(config, tmp_path)
    out = tmp_path / "struck"  # as a kill between steps 4 and 6 leaves it
    for path in (out / "model", out / "manifest.json", out / "run" / "reports" / "model.json", out / "metrics.jsonl"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (out / "run" / "checkpoints" / "checkpoint-6" / "complete.json").unlink()
    assert "checkpoint-6 is not complete" in ranks(config, tmp_path)
    assert weights(out) == weights(tmp_path / "straight")
    assert computed(out) == computed(tmp_path / "straight")
