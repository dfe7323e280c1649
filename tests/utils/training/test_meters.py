"""Meters by arithmetic on models whose numbers are known."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, LlamaConfig, LlamaForCausalLM

from utils.training.meters import Flops, Meters, flops_of, peak_tflops, row_sums, speeds


def llama(**more) -> LlamaForCausalLM:
    config = {"hidden_size": 8, "intermediate_size": 20, "num_hidden_layers": 3, "num_attention_heads": 2}
    config |= {"num_key_value_heads": 1, "head_dim": 6, "vocab_size": 50, **more}
    return LlamaForCausalLM(LlamaConfig(**config))


LAYER = 8 * 12 + 2 * 8 * 6 + 12 * 8 + 3 * 8 * 20
"""q, k and v, o, and the three matrices of the feed-forward part; norms are no matrix products."""


@pytest.mark.parametrize("tied", [True, False])
def test_weights_of_a_llama_by_hand(tied):
    flops = flops_of(llama(tie_word_embeddings=tied))
    assert flops == Flops(weights=3 * LAYER + 50 * 8, trained=3 * LAYER + 50 * 8, layers=3, width=12)


def test_frozen_weights_need_no_gradient_of_their_own():
    model = llama(tie_word_embeddings=False)
    for name, weight in model.named_parameters():
        weight.requires_grad = "q_proj" in name
    flops = flops_of(model)
    assert flops.trained == 3 * 8 * 12
    assert flops.step(1, 0) == 4 * flops.weights + 2 * flops.trained


def test_all_weights_trained_is_six_n():
    flops = flops_of(GPTNeoXForCausalLM(GPTNeoXConfig(hidden_size=8, intermediate_size=32, num_hidden_layers=1,
                                                      num_attention_heads=2, vocab_size=20)))  # fmt: skip
    assert flops.weights == 4 * 8 * 8 + 2 * 8 * 32 + 20 * 8  # attention, feed-forward, output layer
    assert flops.step(10, 0) == 60 * flops.weights


def test_attention_and_recomputation_by_hand():
    flops = Flops(weights=100, trained=100, layers=2, width=4, recomputes=True)
    tokens, squares = 5, 3**2 + 2**2
    products, of_a_multiply_add, layers, width = 2, 2, 2, 4
    attention = products * of_a_multiply_add * layers * width * squares / 2  # the causal half
    assert flops.recomputed(tokens, squares) == 2 * 100 * tokens + attention
    assert flops.step(tokens, squares) == 6 * 100 * tokens + 3 * attention
    assert Flops(100, 100, 2, 4).recomputed(tokens, squares) == 0


def test_padded_and_packed_batches_count_alike():
    padded = {"input_ids": torch.zeros(2, 4), "attention_mask": torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]])}
    assert row_sums(padded).tolist() == [5, 13, 8]
    packed = {
        "input_ids": torch.zeros(1, 7),
        "position_ids": torch.tensor([[0, 1, 2, 0, 1, 0, 0]]),
        "document": torch.tensor([[0, 0, 0, 1, 1, -1, -1]]),
    }
    assert row_sums(packed).tolist() == [5, 13, 7]


def test_speeds_by_hand():
    flops = Flops(weights=10**9, trained=10**9, layers=1, width=1, recomputes=True)
    # two ranks of 4 s each: 1000 tokens, 6e12 FLOPs, and 2e12 more again
    found = speeds(flops, 10.0, tokens=1000, squares=0, busy_s=8.0, ranks=2)
    assert (found["tgs"], found["tokens_per_s"]) == (125, 250)
    assert found["tflops"] == pytest.approx(0.75)
    assert found["tflops_recomputed"] == pytest.approx(1.0)
    assert (found["mfu"], found["hfu"]) == (pytest.approx(0.075), pytest.approx(0.1))
    assert not {"mfu", "hfu"} & speeds(flops, None, 1000, 0, 8.0, 2).keys()
    assert speeds(None, 10.0, 1000, 0, 8.0, 2).keys() == {"tgs", "tokens_per_s"}


def test_a_line_says_padding_waiting_and_time():
    trainer = SimpleNamespace()
    meters = Meters(trainer, None, "fp32")
    trainer.row_sums, trainer.waited_s = torch.tensor([60.0, 0.0, 80.0], dtype=torch.float64), 0.5
    meters.busy_s, meters.steps = 2.0, 4
    found = meters.read(torch.device("cpu"))
    assert (found["padding"], found["stall"], found["step_s"], found["tgs"]) == (0.25, 0.25, 0.5, 30)
    assert 0.01 < found["memory_gb"] < 100


def test_peaks_by_name():
    assert peak_tflops("NVIDIA H100 80GB HBM3", "bf16") == 989
    assert peak_tflops("NVIDIA H100 PCIe", "bf16") == 756
    assert peak_tflops("NVIDIA A100-SXM4-80GB", "bf16") == 312
    assert peak_tflops("Tesla V100-SXM2-32GB", "fp16") == 125
    assert peak_tflops("NVIDIA A10", "bf16") == 125
    assert peak_tflops("NVIDIA H100 80GB HBM3", "fp32") is None
    assert peak_tflops("A card of next year", "bf16") is None
