"""Conversations and documents in one batch: the losses equal arithmetic by hand, on one rank or two."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest
import torch

from postraining_sft.batching import CONVERSATION, DOCUMENT, IGNORED, PADDING
from postraining_sft.losses import sums_by_kind, token_losses, weights_by_kind
from tests.support.sft import sft_trainer
from tests.support.tiny import ROOT, child_environment
from utils.models.locate import load_model


def test_loss_of_a_token_by_hand():
    logits = torch.tensor([[[1.0, 2.0, 0.5], [0.0, 3.0, 1.0], [9.0, 9.0, 9.0]]])
    losses = token_losses(logits, torch.tensor([[0, 1, IGNORED]]))
    by_hand = math.log(math.exp(1) + math.exp(2) + math.exp(0.5)) - 2
    assert losses.tolist() == [[pytest.approx(by_hand), 0.0]]


def test_sums_by_hand():
    losses = torch.tensor([[1.0, 2.0, 4.0, 8.0], [16.0, 32.0, 64.0, 128.0]])
    trained = torch.tensor([[True, False, True, True], [True, True, True, False]])
    kinds = torch.tensor([[CONVERSATION] * 4, [DOCUMENT, DOCUMENT, CONVERSATION, PADDING]])
    assert sums_by_kind(losses, trained, kinds).tolist() == [[1 + 4 + 8 + 64, 4], [16 + 32, 2]]
    assert weights_by_kind(kinds, 0.25).tolist() == [[1, 1, 1, 1], [0.25, 0.25, 1, 1]]


def by_hand(model, rows):
    """Row by row, token by token: {document: [sum of losses, tokens]}."""
    sums = {False: [0.0, 0], True: [0.0, 0]}
    for row in rows:
        with torch.no_grad():
            logits = model(torch.tensor([row.ids.tolist()])).logits[0].double()
        for place in range(1, len(row.ids)):
            if row.mask[place]:
                sums[row.document][0] -= float(torch.log_softmax(logits[place - 1], -1)[int(row.ids[place])])
                sums[row.document][1] += 1
    return sums


@pytest.mark.parametrize("batching", ["packed", "by_length"])
@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_a_mixed_step_by_hand(tiny_model, tmp_path, batching, weight):
    """One step over all rows: 19 in one forward pass, or packed ones in two."""
    more = {"batch_size": 4, "gradient_accumulation": 3} if batching == "packed" else {"batch_size": 19}
    keys = {"batching": batching, "document_weight": weight, "max_length": 128, "max_steps": 1, **more}
    trainer, _ = sft_trainer(tiny_model, tmp_path, **keys)
    sums = by_hand(load_model(tiny_model).eval(), trainer.rows.rows)
    trainer.train()
    line = trainer.state.log_history[0]
    (chat, chat_tokens), (text, text_tokens) = sums[False], sums[True]
    assert line["loss_sft"] == pytest.approx(chat / chat_tokens, rel=1e-5)
    assert line["loss_document"] == pytest.approx(text / text_tokens, rel=1e-5)
    assert (line["trained_sft"], line["trained_document"]) == (chat_tokens, text_tokens)
    total = (chat + weight * text) / (chat_tokens + weight * text_tokens)
    assert line["loss"] == pytest.approx(total, rel=1e-5)
    if batching == "by_length":
        lengths = trainer.rows.rows.lengths()
        assert line["padding"] == pytest.approx(1 - lengths.sum() / (19 * lengths.max()))


def test_evaluation_reports_apart_and_unweighted(tiny_model, tmp_path):
    trainer, _ = sft_trainer(tiny_model, tmp_path, document_weight=0.25, max_steps=1, max_length=128, batch_size=4)
    sums = by_hand(trainer.model, trainer.rows.rows)
    metrics = trainer.evaluate()
    for kind, document in (("sft", False), ("document", True)):
        assert trainer.state.log_history[-1][f"eval_loss_{kind}"] == pytest.approx(
            sums[document][0] / sums[document][1], rel=1e-5
        )
    (chat, chat_tokens), (text, text_tokens) = sums[False], sums[True]
    weighed = (chat + 0.25 * text) / (chat_tokens + 0.25 * text_tokens)  # as a training step's loss
    assert metrics["eval_loss"] == pytest.approx(weighed, rel=1e-5)
    perplexity = trainer.state.log_history[-1]["eval_perplexity_document"]
    assert perplexity == pytest.approx(math.exp(sums[True][0] / sums[True][1]), rel=1e-5)
    assert "loss_sft" not in trainer.state.log_history[-1]


STEP = {"document_weight": 0.25, "batching": "by_length", "max_length": 128, "max_steps": 2, "learning_rate": 1e-3}


def outcome(trainer):
    trainer.train()
    return trainer.state.log_history[:2], {
        name: weight.detach().clone() for name, weight in trainer.model.named_parameters()
    }


def same(lines, weights, other_lines, other_weights):
    for one, other in zip(lines, other_lines, strict=True):
        for key in ("loss", "loss_sft", "loss_document", "trained_sft", "trained_document", "grad_norm"):
            assert one.get(key) == (pytest.approx(other[key], rel=1e-4) if key in other else None), key
    for name, weight in weights.items():
        assert float((weight - other_weights[name].detach()).abs().max()) < 1e-5, name


def test_accumulation_changes_nothing(tiny_model, tmp_path):
    """A step of 16 rows at once, and of the same in eight passes: tokens count alike wherever they lie."""
    whole, seen = sft_trainer(tiny_model, tmp_path / "a", **STEP | {"batching": "random", "batch_size": 16})
    parts, again = sft_trainer(
        tiny_model, tmp_path / "b", **STEP | {"batching": "random", "batch_size": 2, "gradient_accumulation": 8}
    )
    one, other = outcome(whole), outcome(parts)
    assert seen == again
    same(*one, *other)


@pytest.mark.parametrize("batching", ["by_length", pytest.param("packed", marks=pytest.mark.slow)])
def test_two_ranks_are_one_with_twice_the_rows(tiny_model, tmp_path, batching):
    keys = STEP | {"batching": batching, "batch_size": 2, "gradient_accumulation": 2, "max_length": 90}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, "-m", "tests.support.sft", str(tiny_model), str(tmp_path), json.dumps(keys)],
        env=child_environment() | {"OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,  # seconds on an idle machine
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = json.loads((tmp_path / "log.json").read_text())
    alone, _ = sft_trainer(tiny_model, tmp_path / "alone", **keys | {"batch_size": 4})
    one = outcome(alone)
    same(*one, lines[:2], dict(load_model(tmp_path / "model").named_parameters()))
    evaluated = alone.evaluate()
    for kind in ("sft", "document"):
        key = f"eval_loss_{kind}"
        assert lines[-1][key] == pytest.approx(alone.state.log_history[-1][key], abs=1e-5), evaluated  # no row twice
    assert lines[-1]["eval_loss"] == pytest.approx(evaluated["eval_loss"], abs=1e-5)
