"""Adapters on tiny models of each architecture: where they go, saved and loaded, merged."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from utils.errors import UserError
from utils.training.adapters import base_of, is_adapter, load_adapter, merged, peft_config, with_adapter
from utils.training.config import PeftKeys

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 40}
WIDE = {**SIZES, "intermediate_size": 32, "tie_word_embeddings": False}
GROUPED = {**WIDE, "num_key_value_heads": 1}
KINDS = {
    "llama": (LlamaForCausalLM, LlamaConfig(**GROUPED), {"q_proj", "v_proj"}),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**{**GROUPED, "tie_word_embeddings": True}), {"q_proj", "v_proj"}),
    "mistral": (MistralForCausalLM, MistralConfig(**GROUPED), {"q_proj", "v_proj"}),
    "gpt_neox": (GPTNeoXForCausalLM, GPTNeoXConfig(**WIDE), {"query_key_value"}),
    "bloom": (BloomForCausalLM, BloomConfig(hidden_size=16, n_layer=2, n_head=2, vocab_size=40), {"query_key_value"}),
}
IDS = torch.tensor([[1, 5, 7, 39, 2]])


def made(kind: str, folder):
    model_class, config, _ = KINDS[kind]
    torch.manual_seed(0)
    model_class(config).save_pretrained(folder)
    return model_class.from_pretrained(folder).eval()


def shaken(model):
    """Stands for training: every trained weight moves."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight += 0.1 * torch.randn_like(weight)
    return model.eval()


def logits(model):
    with torch.no_grad():
        return model(input_ids=IDS, attention_mask=torch.ones_like(IDS)).logits


@pytest.mark.parametrize("kind", KINDS)
def test_lora_on_attention_saved_loaded_merged(kind, tmp_path):
    model = with_adapter(
        made(kind, tmp_path / "base"), PeftKeys(target_modules="attention", r=4), seed=1, new_tokens=[]
    )
    changed = {
        name.split(".lora_")[0].rpartition(".")[2] for name, weight in model.named_parameters() if weight.requires_grad
    }
    assert changed == KINDS[kind][2]
    plain = logits(model)
    expected = logits(shaken(model))
    assert not torch.allclose(plain, expected)
    model.save_pretrained(tmp_path / "adapter")
    assert is_adapter(tmp_path / "adapter")
    assert not is_adapter(tmp_path / "base")
    assert base_of(tmp_path / "adapter") == tmp_path / "base"
    again = load_adapter(KINDS[kind][0].from_pretrained(tmp_path / "base"), tmp_path / "adapter").eval()
    assert torch.equal(logits(again), expected)
    whole = merged(again)
    assert not any("lora" in name for name, _ in whole.named_parameters())
    assert torch.allclose(logits(whole), expected, atol=1e-5)
    whole.save_pretrained(tmp_path / "merged")
    assert torch.allclose(logits(KINDS[kind][0].from_pretrained(tmp_path / "merged").eval()), expected, atol=1e-5)


@pytest.mark.parametrize("method", ["prefix", "p_tuning", "prompt"])
def test_virtual_tokens_saved_and_loaded_but_not_merged(method, tmp_path):
    keys = PeftKeys(method=method, virtual_tokens=3)
    model = with_adapter(made("llama", tmp_path / "base"), keys, seed=1, new_tokens=[])
    expected = logits(shaken(model))
    model.save_pretrained(tmp_path / "adapter")
    again = load_adapter(LlamaForCausalLM.from_pretrained(tmp_path / "base"), tmp_path / "adapter").eval()
    assert torch.allclose(logits(again), expected, atol=1e-6)
    with pytest.raises(UserError, match="cannot be merged"):
        merged(again)


@pytest.mark.parametrize("kind", ["llama", "qwen2"], ids=["untied", "tied"])
def test_new_tokens_are_learned_with_the_adapter(kind, tmp_path):
    base = made(kind, tmp_path / "base")
    base.resize_token_embeddings(42)
    model = with_adapter(base, PeftKeys(r=2), seed=1, new_tokens=[40, 41])
    before = model.get_input_embeddings()(torch.tensor([40, 5])).detach().clone()
    shaken(model)
    after = model.get_input_embeddings()(torch.tensor([40, 5])).detach()
    assert not torch.equal(before[0], after[0])
    assert torch.equal(before[1], after[1])
    expected = logits(model)
    model.save_pretrained(tmp_path / "adapter")
    fresh = KINDS[kind][0].from_pretrained(tmp_path / "base")
    fresh.resize_token_embeddings(42)
    again = load_adapter(fresh, tmp_path / "adapter").eval()
    assert torch.allclose(logits(again), expected, atol=1e-6)
    assert torch.allclose(logits(merged(again)), expected, atol=1e-5)
    with pytest.raises(UserError, match="new tokens cannot be learned by prompt"):
        with_adapter(fresh, PeftKeys(method="prompt"), seed=1, new_tokens=[40])


def test_the_same_seed_gives_the_same_adapter(tmp_path):
    first, second = (
        {name: weight.clone() for name, weight in with_adapter(made("llama", tmp_path / "base"), PeftKeys(), seed=3,
                                                               new_tokens=[]).named_parameters() if "lora" in name}
        for _ in range(2)
    )  # fmt: skip
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_other_keys_go_to_peft_and_wrong_ones_are_named():
    assert peft_config(PeftKeys(use_rslora=True), "llama").use_rslora
    with pytest.raises(
        UserError, match=r"peft.use_rslor: PEFT's LoraConfig takes no 'use_rslor' .* nearest: use_rslora"
    ):
        peft_config(PeftKeys(use_rslor=True), "llama")
    with pytest.raises(UserError, match="takes no 'lora_alpha'"):
        peft_config(PeftKeys(lora_alpha=3), "llama")  # `alpha` says it


def test_layers_that_are_not_there_are_named(tmp_path):
    with pytest.raises(UserError, match=r"this model has .*q_proj"):
        with_adapter(made("llama", tmp_path), PeftKeys(target_modules=["query"]), seed=1, new_tokens=[])
    with pytest.raises(UserError, match="attention layers of nobody are not known"):
        peft_config(PeftKeys(target_modules="attention"), "nobody")


def test_pickled_adapters_and_lost_bases_are_refused(tmp_path):
    model = with_adapter(made("llama", tmp_path / "base"), PeftKeys(), seed=1, new_tokens=[])
    model.save_pretrained(tmp_path / "adapter")
    (tmp_path / "base").rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="base model is not there"):
        base_of(tmp_path / "adapter")
    (tmp_path / "adapter" / "adapter_model.safetensors").rename(tmp_path / "adapter" / "adapter_model.bin")
    with pytest.raises(UserError, match="pickled weights are not loaded"):
        load_adapter(LlamaForCausalLM.from_pretrained(tmp_path / "elsewhere"), tmp_path / "adapter")
