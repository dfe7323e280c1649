"""Our keys in the words of transformers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import LlamaForCausalLM

from utils.errors import UserError
from utils.training import arguments
from utils.training.arguments import attention_of, check_best, check_keys, check_precision, schedule, uses_liger
from utils.training.config import TrainingConfig


def config(**keys) -> TrainingConfig:
    return TrainingConfig(output="o", model="m", learning_rate=0.1, **keys)


def rates(steps: int, **keys) -> list[float]:
    """The learning rate of each step, by transformers' own schedule."""
    from transformers import TrainingArguments
    from transformers.optimization import get_scheduler

    args = TrainingArguments(output_dir="o", use_cpu=True, report_to="none", **schedule(config(**keys)))
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    made = get_scheduler(args.lr_scheduler_type, optimizer, args.get_warmup_steps(steps), steps,
                         scheduler_specific_kwargs=args.lr_scheduler_kwargs)  # fmt: skip
    found = []
    for _ in range(steps):
        found.append(made.get_last_lr()[0])
        optimizer.step()
        made.step()
    return [*found, made.get_last_lr()[0]]


def test_cosine_to_a_share_by_hand():
    found = rates(10, final_learning_rate=0.1, warmup_steps=2)
    cosine = [0.1 * (0.1 + 0.9 * (1 + math.cos(math.pi * place / 8)) / 2) for place in range(9)]
    assert found == pytest.approx([0, 0.05, *cosine])
    assert found[-1] == pytest.approx(0.01)


def test_warm_up_in_steps_or_as_a_share():
    assert rates(10, warmup_ratio=0.2)[:3] == pytest.approx([0, 0.05, 0.1])
    assert rates(10, warmup_ratio=0.2, warmup_steps=1)[:2] == pytest.approx([0, 0.1])
    assert rates(10, warmup_ratio=0.2, warmup_steps=0)[0] == pytest.approx(0.1)
    assert rates(10)[-1] == pytest.approx(0)


def test_a_final_rate_without_a_cosine_is_refused():
    with pytest.raises(UserError, match="no effect on linear"):
        schedule(config(scheduler="linear", final_learning_rate=0.1))


def test_precision_that_the_machine_lacks_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="fp16 needs a GPU"):
        check_precision(config(precision="fp16"))
    check_precision(config(precision="bf16"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla V100")
    with pytest.raises(UserError, match="Tesla V100 has no bf16"):
        check_precision(config(precision="bf16"))
    check_precision(config(precision="fp16"))


@pytest.mark.parametrize("gpu", [False, True])
@pytest.mark.parametrize("package", [None, SimpleNamespace()])
def test_kernels_where_they_are(monkeypatch, gpu, package):
    monkeypatch.setattr(arguments, "resolve_model", lambda path: path)
    monkeypatch.setattr(arguments, "causal_class", lambda _: LlamaForCausalLM)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(arguments.importlib.util, "find_spec", lambda _: package)
    there = gpu and package is not None
    assert uses_liger(config()) == there
    assert not uses_liger(config(kernels=False))
    assert attention_of(config(precision="bf16")) == ("flash_attention_2" if there else "sdpa")
    assert attention_of(config()) == "sdpa"  # flash attention has no fp32
    assert attention_of(config(attention="eager")) == "eager"
    if not there:
        with pytest.raises(UserError, match="flash attention is not there"):
            attention_of(config(attention="flash_attention_2"))
    else:
        with pytest.raises(UserError, match="flash attention has no fp32"):
            attention_of(config(attention="flash_attention_2"))


@pytest.fixture
def described(tmp_path):
    """A model directory of which only config.json is read."""

    def make(**said):
        (tmp_path / "model.safetensors").touch()
        (tmp_path / "config.json").write_text(json.dumps(said))
        return config().model_copy(update={"model": tmp_path})

    return make


def test_attention_that_the_architecture_has(described):
    bloom = described(model_type="bloom")
    assert attention_of(bloom) == "eager"
    with pytest.raises(UserError, match="BloomForCausalLM has no sdpa → set attention: auto, here eager"):
        attention_of(bloom.model_copy(update={"attention": "sdpa"}))
    assert attention_of(described(model_type="llama")) == "sdpa"


@pytest.mark.parametrize("said", [
    {"model_type": "t5"}, {}, {"model_type": "mine", "auto_map": {"AutoConfig": "evil.Config"}},
])  # fmt: skip
def test_what_is_no_causal_model_or_brings_code_is_refused(described, tmp_path, said):
    (tmp_path / "evil.py").write_text("raise SystemExit('code of the model was run')")
    with pytest.raises(UserError, match="no causal language model"):
        attention_of(described(**said))


def test_the_best_needs_held_out_rows():
    with pytest.raises(UserError, match="name them with eval"):
        check_best(config(keep_best=True), None)
    check_best(config(keep_best=True), Path("held"))
    check_best(config(), None)


def test_files_of_the_user_decide_what_is_trained():
    assert config(template="alpaca").files() == []
    own = config(template="mine.jinja", deepspeed={"config": "z.json"})
    assert own.files() == [Path("mine.jinja"), Path("z.json")]


def test_a_machine_that_does_not_train_is_not_asked(monkeypatch, tmp_path):
    """A login node has no GPU: a dry run for Slurm or other hosts is no error there."""
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    (tmp_path / "hosts").write_text("a slots=1\n")
    for launch in ({"kind": "slurm"}, {"kind": "ray"}, {"kind": "torchrun", "hostfile": str(tmp_path / "hosts")}):
        check_keys(config(precision="fp16", launch=launch), None)
    for launch in ({"kind": "local"}, {"kind": "torchrun"}):
        with pytest.raises(UserError, match="needs a GPU"):
            check_keys(config(precision="fp16", launch=launch), None)
