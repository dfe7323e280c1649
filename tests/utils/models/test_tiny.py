"""A tiny model: real, loadable, the same bytes for the same seed."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.support.tiny import TEXTS
from utils.models.config import TinyModelConfig
from utils.models.locate import load_model, load_tokenizer
from utils.models.tiny import make_tiny_model


def make(path: Path, seed: int) -> dict[str, bytes]:
    make_tiny_model(iter(TEXTS), path, hidden=16, layers=1, heads=2, vocab_size=300, seed=seed)
    return {file.name: file.read_bytes() for file in path.iterdir()}


def test_equal_bytes_for_a_seed_and_others_for_another(tmp_path):
    first, again, other = make(tmp_path / "a", 1), make(tmp_path / "b", 1), make(tmp_path / "c", 2)
    assert first == again
    assert first["tokenizer.json"] == other["tokenizer.json"]
    assert first["model.safetensors"] != other["model.safetensors"]


def test_callers_random_state_is_left_alone(tmp_path):
    import torch

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    make(tmp_path / "a", 1)
    assert torch.equal(torch.rand(3), expected)


def test_any_text_comes_back(tiny_model):
    tokenizer = load_tokenizer(tiny_model)
    for text in ("ordinary", "漢字 未见过的字：龘", "emoji 🧑‍🚀 \x07 \t\n  two", "ไทย العربية"):
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_plain_transformers_loads_it(tiny_model):
    model, tokenizer = load_model(tiny_model), load_tokenizer(tiny_model)
    assert model.config.vocab_size == len(tokenizer)
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert {tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token} == {"<|begin|>", "<|im_end|>", "<|pad|>"}


def test_config_refuses_heads_that_do_not_divide():
    with pytest.raises(ValidationError, match="even multiple of heads"):
        TinyModelConfig(output="x", input=["y"], hidden=128, heads=3)
