"""Which rows come together, in which order, and that packed rows are trained on as if alone."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from postraining_sft import batching as module
from postraining_sft.batching import (
    IGNORED,
    Batches,
    Plan,
    in_order,
    make_plan,
    order,
    packed,
    padded,
    require_packing,
)
from postraining_sft.losses import token_losses
from postraining_sft.packing import PROVEN, best_fit
from tests.support.sft import sft_trainer
from utils.errors import UserError
from utils.training.shards import ShardWriter, TokenShards

LENGTHS = st.lists(st.integers(1, 40), max_size=200)


def item(ids, row, *, document=0, labels=None):
    labels = ids if labels is None else labels
    return {"input_ids": np.array(ids), "labels": np.array(labels), "row": row, "document": document}


def pack(*items):
    """What the dataset gives for several rows in one sequence."""
    labels = [np.concatenate([[IGNORED], one["labels"][1:]]) for one in items]
    return {
        "input_ids": np.concatenate([one["input_ids"] for one in items]),
        "labels": np.concatenate(labels),
        "row": [one["row"] for one in items],
        "document": [one["document"] for one in items],
        "length": [len(one["input_ids"]) for one in items],
    }


# --- plans and orders


@given(lengths=LENGTHS)
@settings(deadline=None)
def test_best_fit_packs_every_row_once_and_nearly_as_well_as_possible(lengths):
    packs = best_fit(lengths, 40)
    assert sorted(place for members in packs for place in members) == list(range(len(lengths)))
    assert all(sum(lengths[place] for place in members) <= 40 for members in packs)
    assert len(packs) <= 11 / 9 * math.ceil(sum(lengths) / 40) + len([n for n in lengths if n > 20]) + 1


def test_best_fit_by_hand():
    assert best_fit([5, 7, 3, 5, 2, 8], 10) == [[5, 4], [1, 2], [0, 3]]
    with pytest.raises(ValueError, match="a row of 11 tokens, sequences of 10"):
        best_fit([11], 10)


@given(lengths=LENGTHS, kind=st.sampled_from(["random", "by_length", "packed"]), epoch=st.integers(0, 3))
@settings(deadline=None)
def test_every_sequence_comes_once_in_every_epoch(lengths, kind, epoch):
    plan = make_plan(kind, np.array(lengths, dtype=np.int64), 40)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WINDOW", 16)
        found = list(order(plan, kind, seed=1, epoch=epoch, chunk=3))
        assert found == list(order(plan, kind, seed=1, epoch=epoch, chunk=3))
    assert sorted(found) == list(range(len(plan)))
    rows = [row for sequence in found for row in plan.members(sequence)]
    assert sorted(rows) == list(range(len(lengths)))
    assert plan.lengths.tolist() == [sum(lengths[row] for row in plan.members(n)) for n in range(len(plan))]


def test_orders_differ_by_epoch_and_seed():
    plan = Plan(np.arange(1, 101))
    orders = {tuple(order(plan, "random", seed=s, epoch=e, chunk=4)) for s in (1, 2) for e in (0, 1, 2)}
    assert len(orders) == 6


def test_by_length_puts_like_lengths_into_a_chunk_in_any_order_of_chunks():
    lengths = np.random.default_rng(0).permutation(np.arange(1, 1003))
    found = lengths[list(order(Plan(lengths), "by_length", seed=1, epoch=0, chunk=8))]
    chunks = found[:1000].reshape(-1, 8)
    assert (chunks.max(1) - chunks.min(1)).max() <= 9  # two rows are left over, any two
    assert (np.diff(chunks[:, 0]) < 0).sum() > 30
    assert len(found[1000:]) == 2

    def padding(kind: str) -> float:
        chunks = lengths[list(order(Plan(lengths), kind, seed=1, epoch=0, chunk=8))][:1000].reshape(-1, 8)
        return 1 - chunks.sum() / (chunks.max(1) * 8).sum()

    assert padding("by_length") < 0.02 < 0.3 < padding("random")


def test_the_first_epoch_reads_windows_in_sequence_and_later_ones_do_not(monkeypatch):
    monkeypatch.setattr(module, "WINDOW", 10)
    plan = Plan(np.ones(95, dtype=np.int64))
    first, second = (list(order(plan, "random", seed=1, epoch=epoch, chunk=5)) for epoch in (0, 1))
    assert [n // 10 for n in first] == sorted(n // 10 for n in first)
    assert [n // 10 for n in second] != sorted(n // 10 for n in second)
    assert {n // 10 for n in second[-5:]} == {9}  # the short window stays last: chunks before it stay whole


# --- batches as tensors


def test_padding_to_the_longest_of_the_batch():
    batch = padded([item([5, 6, 7], 4), item([8], 2, document=1)], pad=0)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 0, 0]]
    assert batch["labels"].tolist() == [[5, 6, 7], [8, IGNORED, IGNORED]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["document"].tolist() == [[0, 0, 0], [1, -1, -1]]
    assert batch["row"].tolist() == [4, 2]


def test_positions_restart_in_every_packed_row():
    one, two = pack(item([5, 6, 7], 4), item([8, 9], 2, document=1)), pack(item([3, 4], 7))
    batch = packed([one, two], pad=0)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9], [3, 4, 0, 0, 0]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1], [0, 1, 0, 0, 0]]
    assert batch["labels"].tolist() == [[IGNORED, 6, 7, IGNORED, 9], [IGNORED, 4, IGNORED, IGNORED, IGNORED]]
    assert batch["document"].tolist() == [[0, 0, 0, 1, 1], [0, 0, -1, -1, -1]]
    assert batch["row"].tolist() == [4, 2, 7]
    assert "attention_mask" not in batch
    flat = packed([one, two], pad=0, flat=True)
    assert flat["input_ids"].tolist() == [[5, 6, 7, 8, 9, 3, 4]]
    assert flat["position_ids"].tolist() == [[0, 1, 2, 0, 1, 0, 1]]
    assert flat["cu_seq_lens_q"].tolist() == flat["cu_seq_lens_k"].tolist() == [0, 3, 5, 7]
    assert flat["max_length_q"] == 3


@pytest.fixture
def shards(tmp_path):
    writer = ShardWriter(tmp_path, vocabulary=100, seed=1)
    for row in range(9):
        ids = list(range(10 * row, 10 * row + 2 + row % 4))
        writer.add(ids, [0, *[1] * (len(ids) - 1)], record=row, source=0, document=row % 3 == 0)
    writer.finish()
    return TokenShards(tmp_path)


@pytest.mark.parametrize("kind", ["packed", "by_length", "random"])
def test_items_hold_the_rows_of_the_shards(shards, kind):
    batches = Batches(shards, make_plan(kind, shards.lengths(), 8), kind, seed=1, chunk=2, pad=99)
    items = list(batches.dataset())
    assert len(items) == len(batches)
    assert {"input_ids", "labels", "row", "document"} <= items[0].keys()
    batch = batches.collate(items)
    assert sorted(batch["row"].tolist()) == list(range(9))
    assert int((batch["document"] >= 0).sum()) == shards.tokens
    for one in items:
        place = 0
        for row in np.atleast_1d(one["row"]):
            ids = shards[row].ids
            assert one["input_ids"][place : place + len(ids)].tolist() == ids.tolist()
            assert one["labels"][place : place + len(ids)].tolist() == [IGNORED, *ids[1:].tolist()]
            place += len(ids)
    by_size = [len(one["input_ids"]) for one in batches.dataset(sort=True)]
    assert by_size == sorted(by_size, reverse=True)


# --- several ranks


def of_ranks(numbers, batch, ranks):
    """What each rank is given, as accelerate deals it."""
    from accelerate.data_loader import BatchSamplerShard
    from torch.utils.data import BatchSampler

    if ranks == 1:  # then it deals nothing
        return [list(BatchSampler(numbers, batch, False))]
    return [list(BatchSamplerShard(BatchSampler(numbers, batch, False), ranks, rank)) for rank in range(ranks)]


@given(
    count=st.integers(1, 60),
    batch=st.integers(1, 5),
    ranks=st.integers(1, 4),
    kind=st.sampled_from(["random", "by_length", "packed"]),
    epoch=st.integers(0, 2),
)
@settings(deadline=None, max_examples=40)
def test_every_row_comes_once_over_all_ranks(count, batch, ranks, kind, epoch):
    lengths = np.random.default_rng(count).integers(1, 20, count)
    plan = make_plan(kind, lengths, 40)
    batches = Batches(None, plan, kind, seed=1, chunk=batch * ranks, pad=0, ranks=ranks)
    dealt = of_ranks(list(batches.order(epoch)), batch, ranks)
    assert len({len(of_one) for of_one in dealt}) == 1
    given_out = [number for of_one in dealt for one in of_one for number in one]
    assert sorted(number for number in given_out if number < len(plan)) == list(range(len(plan)))
    assert len(given_out) == len(plan) + batches.blanks
    real = [sum(number < len(plan) for number in of_one[-1]) for of_one in dealt]
    assert max(real) - min(real) <= 1, "the last rows are spread"
    evaluated = [item["sequence"] for item in batches.dataset(sort=True).with_format(None)]
    sizes = [plan.lengths[number] for number in evaluated if number < len(plan)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(evaluated) == len(given_out)


@pytest.mark.parametrize("kind", ["packed", "by_length"])
def test_a_batch_of_blanks_has_no_loss_and_no_gradient(shards, kind):
    """Nine rows on twenty ranks: eleven have nothing to do, and must not spoil what the others learn."""
    batches = Batches(shards, make_plan(kind, shards.lengths(), 5), kind, seed=1, chunk=20, pad=7, ranks=20)
    blank = batches.dataset()[len(batches)]
    batch = batches.collate([blank, blank])
    assert (batch["input_ids"].tolist(), batch["labels"].tolist(), batch["row"].tolist()) == ([[7]], [[IGNORED]], [])
    assert batch["row"].dtype == torch.int64
    assert batches.collate([blank, batches.dataset()[0]])["input_ids"].shape[0] == 1
    model = model_of("llama", "sdpa")
    inputs = {key: batch[key] for key in ("input_ids", "position_ids", "attention_mask") if key in batch}
    logits = model(**inputs, use_cache=False).logits
    token_losses(logits, batch["labels"]).sum().backward()
    assert logits.isfinite().all()
    assert all(not weight.grad.abs().max() for weight in model.parameters() if weight.grad is not None)


# --- a run that goes on


@pytest.mark.parametrize("kind", ["packed", "by_length", "random"])
def test_the_order_is_the_same_from_every_step_of_an_epoch(kind):
    """The trainer's epoch is a fraction, such as 2.333… after step 1 of 3 in epoch 2; the order is that epoch's."""

    class Owner:
        state = None

    lengths = np.random.default_rng(0).integers(1, 20, 50)
    batches = Batches(None, make_plan(kind, lengths, 40), kind, seed=1, chunk=4, pad=0, ranks=2)
    sampler = in_order(Owner, batches)()._get_train_sampler()
    steps = len(sampler) // 4
    for epoch in range(4):
        for step in range(steps):
            sampler.owner.state = SimpleNamespace(epoch=epoch + step / steps)
            assert list(sampler) == list(batches.order(epoch))


def trained(trainer, rows, resume=None):
    """Train and return the row numbers of every step, the losses and the weights."""
    trainer.train(resume_from_checkpoint=resume)
    lines = [line for line in trainer.state.log_history if "loss" in line]
    return rows, lines, [weight.detach().clone() for weight in trainer.model.parameters()]


@pytest.mark.parametrize("kind", ["packed", "by_length", "random"])
def test_resuming_in_the_middle_of_an_epoch_changes_nothing(tiny_model, tmp_path, kind):
    more = {"batching": kind, "epochs": 3, "save_steps": 4, "batch_size": 2, "max_length": 90, "learning_rate": 1e-3}
    if kind != "packed":
        more["gradient_accumulation"] = 2
    rows, lines, weights = trained(*sft_trainer(tiny_model, tmp_path / "whole", **more))
    per_epoch, middle = len(rows) // 3, lines[-1]["step"] // 3 + 1
    assert len(rows) % 3 == 0
    epochs = [rows[n * per_epoch : (n + 1) * per_epoch] for n in range(3)]
    assert all(sorted(epoch) == list(range(per_epoch)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    checkpoint = next((tmp_path / "whole").glob("checkpoint-8"))
    assert 8 % (middle - 1) != 0, "the checkpoint lies within an epoch"
    again, resumed_lines, resumed = trained(*sft_trainer(tiny_model, tmp_path / "resumed", **more), str(checkpoint))
    assert again == rows[-len(again) :]
    assert 0 < len(again) < len(rows)
    keys = ("step", "loss", "loss_sft", "loss_document", "padding")
    assert [[line.get(key) for key in keys] for line in resumed_lines if line["step"] > 8] == [
        [line.get(key) for key in keys] for line in lines if line["step"] > 8
    ]
    assert all(torch.equal(one, other) for one, other in zip(weights, resumed, strict=True))


# --- packed is as good as alone


def config_of(kind: str):
    from transformers import BloomConfig, GPT2Config, GPTNeoXConfig, LlamaConfig, MistralConfig, Qwen2Config

    sizes = {"vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    more = {**sizes, "intermediate_size": 48, "max_position_embeddings": 64}
    if kind == "bloom":
        return BloomConfig(vocab_size=60, hidden_size=32, n_layer=2, n_head=4)
    if kind == "gpt2":
        return GPT2Config(vocab_size=60, n_embd=32, n_layer=2, n_head=4, n_positions=64)
    return {
        "llama": LlamaConfig(**more, num_key_value_heads=2),
        "qwen2": Qwen2Config(**more, num_key_value_heads=2),
        "mistral": MistralConfig(**more, num_key_value_heads=2, sliding_window=6),
        "gpt_neox": GPTNeoXConfig(**more),
    }[kind]


def model_of(kind: str, attention: str):
    from transformers import AutoModelForCausalLM

    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(config_of(kind), attn_implementation=attention)
    with torch.no_grad():  # the usual 0.02 would hide what leaks
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(0, 0.3)
    return model.eval()


def rows_of_tokens():
    random = np.random.default_rng(5)
    return [item(random.integers(0, 60, size).tolist(), row) for row, size in enumerate((9, 4, 12, 7, 2))]


def losses_and_gradient(model, batches):
    """Per-row sums of the loss, and the gradient of their sum."""
    model.zero_grad()
    found = {}
    for batch, owners in batches:
        inputs = {key: batch[key] for key in ("input_ids", "position_ids", "attention_mask") if key in batch}
        losses = token_losses(model(**inputs, use_cache=False).logits, batch["labels"])
        losses.sum().backward()
        for row in {int(owner) for owner in owners[:, 1:].flatten()} - {-1}:
            found[row] = float(losses.detach()[owners[:, 1:] == row].sum())
    return found, torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])


def owners_of(sequences):
    """The row number of every token, −1 for padding."""
    longest = max(sum(len(one["input_ids"]) for one in members) for members in sequences)
    lines = [np.concatenate([np.full(len(one["input_ids"]), one["row"]) for one in members]) for members in sequences]
    return torch.tensor(np.stack([np.pad(line, (0, longest - len(line)), constant_values=-1) for line in lines]))


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("kind", PROVEN)
def test_packed_losses_and_gradients_are_those_of_the_rows_alone(kind, attention):
    model, rows = model_of(kind, attention), rows_of_tokens()
    sequences = [rows[:3], rows[3:]]
    alone = [(padded([row], 0), owners_of([[row]])) for row in rows]
    together = [(packed([pack(*members) for members in sequences], 0), owners_of(sequences))]
    one, gradient = losses_and_gradient(model, alone)
    other, packed_gradient = losses_and_gradient(model, together)
    assert one.keys() == other.keys() == set(range(5))
    assert list(other.values()) == pytest.approx([one[row] for row in other], rel=1e-5)
    assert float((gradient - packed_gradient).norm() / gradient.norm()) < 1e-5
    require_packing(model, attention)
    # what the proof is worth: without the restarts it fails
    batch, owners = together[0]
    leaking, _ = losses_and_gradient(model, [({**batch, "position_ids": None}, owners)])
    assert max(abs(leaking[row] - one[row]) for row in one) > 0.1


def test_bloom_is_refused():
    """Its alibi is built from the attention mask; it takes no position_ids. Transformers has it on eager only."""
    model = model_of("bloom", "eager").train()
    with pytest.raises(UserError, match="bloom on eager attention: packed rows would see each other"):
        require_packing(model, "eager")
    assert model.training
    require_packing(model_of("gpt2", "eager"), "eager")  # learnt positions restart too


def test_a_sharded_model_passes_by_its_architecture():
    for kind, refused in (("llama", False), ("gpt2", True)):
        model = model_of(kind, "sdpa")
        next(model.parameters()).ds_id = 0  # as DeepSpeed marks what it has sharded
        if not refused:
            require_packing(model, "sdpa")
            continue
        with pytest.raises(UserError, match="cannot be tried"):
            require_packing(model, "sdpa")


def test_an_adapter_is_tried_with_its_model():
    from peft import LoraConfig, get_peft_model

    def adapted(kind):
        adapter = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules="all-linear")
        return get_peft_model(model_of(kind, "eager"), adapter)

    require_packing(adapted("llama"), "eager")
    with pytest.raises(UserError, match="would see each other"):
        require_packing(adapted("bloom"), "eager")


def test_virtual_tokens_are_refused():
    from peft import PromptTuningConfig, get_peft_model

    model = get_peft_model(model_of("llama", "sdpa"), PromptTuningConfig("CAUSAL_LM", num_virtual_tokens=4))
    with pytest.raises(UserError, match="virtual tokens"):
        require_packing(model, "sdpa")
