"""Memory estimates against arithmetic by hand, the ZeRO paper's own table, and DeepSpeed's functions."""

from __future__ import annotations

import pytest

from utils.training.config import PeftKeys, TrainingConfig
from utils.training.estimate import (
    GIB,
    Shape,
    activation_bytes,
    adapter_parameters,
    logit_bytes,
    memory,
    shape_of,
    state_bytes,
)

BILLION = 10**9


def states(trained: int, *, frozen: int = 0, **more) -> dict[str, float]:
    how = {"zero": 2, "processes": 4, "offload": "none", "largest": 0, "mixed": True, **more}
    return state_bytes(frozen, trained, **how)


def on_gpu(parts: dict[str, float]) -> float:
    return parts["weights"] + parts["gradients"] + parts["optimizer"]


@pytest.mark.parametrize(("zero", "gigabytes"), [(0, 120), (1, 31.4), (2, 16.6), (3, 1.88)])
def test_figure_1_of_the_zero_paper(zero, gigabytes):
    """7.5 billion parameters on 64 GPUs, K = 12."""
    assert on_gpu(states(7_500_000_000, zero=zero, processes=64)) / 1e9 == pytest.approx(gigabytes, abs=0.05)


def test_without_deepspeed_by_hand():
    assert states(100, zero=None, processes=1, mixed=False) == {
        "weights": 400,
        "gradients": 400,
        "optimizer": 800,
        "host": 0,
    }
    mixed = states(100, zero=None, processes=2)  # fp32 weights, their 16-bit copies; DDP's copy of the gradients
    assert (mixed["weights"], mixed["gradients"], mixed["optimizer"]) == (600, 800, 800)


def test_frozen_weights_have_neither_gradient_nor_optimizer():
    one = states(10, frozen=1000, zero=2, processes=2)
    assert (one["weights"], one["gradients"], one["optimizer"]) == (2020, 10, 60)
    assert states(10, frozen=1000, zero=3, processes=2)["weights"] == 1010


def test_offload_by_hand():
    two = states(1000, zero=2, processes=4, offload="optimizer")
    assert (two["weights"], two["gradients"], two["optimizer"], two["host"]) == (2000, 0, 0, 16 * 1000 / 4)
    every = states(1000, zero=3, processes=4, offload="all", largest=50)
    assert (every["weights"], every["host"]) == (4 * 50, 18 * 1000 / 4)


def test_deepspeeds_own_estimates():
    """Equal where it counts the same; without offload it counts 4 bytes of fp32 gradients more, sharded."""
    from deepspeed.runtime.zero.stage3 import estimate_zero3_model_states_mem_needs as needs_3
    from deepspeed.runtime.zero.stage_1_and_2 import estimate_zero2_model_states_mem_needs as needs_2

    total, largest, gpus = 3 * BILLION, 131_072_000, 8

    def ours(zero: int, offload: str) -> dict[str, float]:
        return states(total, zero=zero, processes=gpus, offload=offload, largest=largest)

    def theirs_3(offload: str) -> tuple[float, float]:
        how = {"cpu_offload": offload != "none", "cpu_offload_params": offload == "all"}
        cpu, gpu, _ = needs_3(total, largest, gpus, 1, **how, additional_buffer_factor=1)
        return cpu, gpu

    cpu, gpu = needs_2(total, gpus, 1, cpu_offload=True, additional_buffer_factor=1)
    assert on_gpu(ours(2, "optimizer")) == gpu
    assert ours(2, "optimizer")["host"] * gpus == 16 * total  # it counts 4 × GPUs instead where that is more
    assert cpu == 4 * gpus * total
    assert needs_2(total, gpus, 1, cpu_offload=False)[1] - on_gpu(ours(2, "none")) == 4 * total / gpus

    assert theirs_3("all") == (18 * total, on_gpu(ours(3, "all")))
    assert ours(3, "all")["host"] * gpus == 18 * total
    assert theirs_3("optimizer") == (ours(3, "optimizer")["host"] * gpus, on_gpu(ours(3, "optimizer")))
    # stage 3 without offload: it counts 4 bytes of gradients, the paper 2
    assert theirs_3("none")[1] - on_gpu(ours(3, "none")) == 2 * total / gpus


def shape(**more) -> Shape:
    sizes = {"parameters": 1000, "largest": 100, "linear": {}, "hidden": 64, "layers": 3, "heads": 4, "vocabulary": 500}
    return Shape(**{**sizes, **more})


def test_activations_by_hand():
    how = {"rows": 2, "length": 16, "mixed": True}
    layer = 2 * 16 * 64 * 34
    assert activation_bytes(shape(), **how, checkpointing=False, eager=False) == 3 * layer
    assert activation_bytes(shape(), **how, checkpointing=True, eager=False) == 3 * 2 * 2 * 16 * 64 + layer
    # eager keeps the scores: 5 bytes per head and pair of positions
    scores = 5 * 4 * 16 * 16 * 2
    assert activation_bytes(shape(), **how, checkpointing=False, eager=True) == 3 * (layer + scores)
    assert activation_bytes(shape(), **{**how, "mixed": False}, checkpointing=False, eager=False) == 6 * layer
    assert logit_bytes(shape(), **how) == 2 * 16 * 500 * 10


def test_the_shape_is_the_models(tiny_model):
    from transformers import AutoModelForCausalLM

    found = shape_of(tiny_model)
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    assert found.parameters == sum(weight.numel() for weight in model.parameters())
    assert (found.hidden, found.layers, found.heads) == (32, 2, 2)
    assert found.vocabulary == model.config.vocab_size
    assert len(found.linear) == 2 * 7


@pytest.mark.parametrize("targets", ["all-linear", "attention", ["q_proj"]])
def test_adapters_are_counted_as_peft_does(tiny_model, targets):
    import peft
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    names = ["q_proj", "v_proj"] if targets == "attention" else targets
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=4, target_modules=names, task_type="CAUSAL_LM"))
    counted = adapter_parameters(PeftKeys(r=4, target_modules=targets), shape_of(tiny_model))
    assert counted == adapted.get_nb_trainable_parameters()[0]


@pytest.mark.parametrize("method", ["prefix", "p_tuning", "prompt"])
def test_virtual_tokens_are_counted_as_peft_does(tiny_model, method):
    import peft
    from transformers import AutoModelForCausalLM

    kinds = {"prefix": peft.PrefixTuningConfig, "p_tuning": peft.PromptEncoderConfig, "prompt": peft.PromptTuningConfig}
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    adapted = peft.get_peft_model(model, kinds[method](num_virtual_tokens=5, task_type="CAUSAL_LM"))
    counted = adapter_parameters(PeftKeys(method=method, virtual_tokens=5), shape_of(tiny_model))
    assert counted == adapted.get_nb_trainable_parameters()[0]


def test_what_a_dry_run_says(tiny_model):
    keys = {"output": "o", "model": "m", "learning_rate": 1, "batch_size": 4, "max_length": 256, "precision": "bf16"}
    launch = {"kind": "torchrun", "processes": 4}
    config = TrainingConfig.model_validate({**keys, "launch": launch, "deepspeed": {"zero": 3}})
    said = memory(config, tiny_model)
    parts = said["per_gpu_gib"]
    assert parts["total"] == pytest.approx(sum(parts.values()) - parts["total"] - parts["host"], abs=0.004)
    assert parts["total"] == said["by_zero_stage_gib"]["3"]
    assert list(said["by_zero_stage_gib"]) == ["0", "1", "2", "3"]
    assert parts["logits"] == round(4 * 256 * 400 * 10 / GIB, 3)


def test_frozen_weights_take_two_bytes():
    """LoRA on 7B without DeepSpeed: 2 bytes of each frozen weight, 4 + 2 of each trained one."""
    found = state_bytes(7_000, 40, zero=None, processes=1, offload="none", largest=0, mixed=True)
    assert found == {"weights": 2 * 7_000 + 6 * 40, "gradients": 4 * 40, "optimizer": 8 * 40, "host": 0}
    whole = state_bytes(7_000, 40, zero=None, processes=1, offload="none", largest=0, mixed=False)
    assert whole["weights"] == 4 * 7_040
