"""SFT, LoRA, merge, save, reload and generate on tiny random models of each architecture, with their tokenizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import cli
from tests.support.tiny import read_jsonl
from tests.support.use import KNOWN, train
from tests.utils.models.tokenizers import FAMILIES
from utils.data.records import Message
from utils.models.generate import LocalModel
from utils.models.locate import load_model
from utils.training.adapters import base_of, is_adapter

pytestmark = pytest.mark.usefixtures("keep_handlers")

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
GROUPED = {**SIZES, "num_key_value_heads": 1, "max_position_embeddings": 256}
KINDS: dict[str, tuple[str, str, dict[str, Any], set[str]]] = {
    "llama": ("Llama", "llama", {**GROUPED, "tie_word_embeddings": False}, {"q_proj", "v_proj"}),
    "qwen2": ("Qwen2", "qwen2", {**GROUPED, "tie_word_embeddings": True}, {"q_proj", "v_proj"}),
    "mistral": ("Mistral", "llama", {**GROUPED, "sliding_window": 64}, {"q_proj", "v_proj"}),
    "gpt_neox": ("GPTNeoX", "gpt_neox", {**SIZES, "max_position_embeddings": 256}, {"query_key_value"}),
    "bloom": ("Bloom", "bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 2}, {"query_key_value"}),
}
NEW = ["### Instruction:", "### Response:", "### End"]
PROMPTS = [[Message("user", question)] for question in KNOWN]


def start_model(kind: str, folder: Path) -> Path:
    """A base model without a chat template; its embeddings are exactly as long as its tokenizer."""
    made, family, sizes, _ = KINDS[kind]
    tokenizer = FAMILIES[family]()
    special = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    config = getattr(transformers, f"{made}Config")(vocab_size=len(tokenizer), **sizes, **special)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        getattr(transformers, f"{made}ForCausalLM")(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def answers(path: Path) -> list:
    return LocalModel(path, batch_size=2).answer(PROMPTS, max_new_tokens=30, temperature=0)


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[] if kind in ("qwen2", "bloom") else pytest.mark.slow) for kind in KINDS]
)
def test_trained_merged_reloaded_and_asked(kind, tmp_path):
    base = start_model(kind, tmp_path / "base")
    vocabulary = len(FAMILIES[KINDS[kind][1]]())
    more = {"template": "dolly", "attention": "eager" if kind == "bloom" else "auto"}
    full = train(base, tmp_path, "full", max_steps=80, **more)
    model = LocalModel(full)
    grown = len(model.tokenizer)
    assert vocabulary < grown <= vocabulary + len(NEW)
    assert model.model.get_input_embeddings().weight.shape[0] == grown
    assert model.tokenizer.convert_tokens_to_ids("### End") >= vocabulary, "a token of its own"
    losses = [line["loss"] for line in read_jsonl(full / "metrics.jsonl")]
    assert losses[-1] < 0.2 * losses[0]
    said = answers(full)
    assert [answer.finish_reason for answer in said] == ["stop"] * len(KNOWN), "it has learned where an answer ends"
    assert said[0].text == KNOWN["What is the capital of France?"]

    peft = {"method": "lora", "r": 4, "target_modules": "attention"}
    run = train(base, tmp_path, "lora", max_steps=4, peft=peft, **more)
    adapter = run / "model"
    assert is_adapter(adapter)
    assert base_of(adapter) == base
    beside = LocalModel(run).model
    assert KINDS[kind][3] == {name.split(".lora_")[0].rpartition(".")[2] for name, _ in beside.named_parameters()
                              if ".lora_A" in name}  # fmt: skip
    merged = tmp_path / "merged"
    assert cli.main(["sft", "merge", str(run), "--output", str(merged)]) == 0
    plain = load_model(merged).eval()
    ids = torch.tensor([[5, 9, vocabulary, grown - 1, 7, 30, 12]])
    with torch.no_grad():
        apart = plain(input_ids=ids).logits - beside(input_ids=ids).logits
    assert float(apart.abs().max()) < 1e-4
    new = plain.get_input_embeddings().weight.detach()[vocabulary:grown]
    untrained = load_model(base).get_input_embeddings().weight.detach().mean(dim=0)
    assert float((new - untrained).abs().max(dim=1).values.min()) > 1e-4, "every new token was learned"
    assert answers(merged) == answers(run)
