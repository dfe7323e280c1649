"""Answers do not depend on what else is asked, nor on padding."""

from __future__ import annotations

import pytest

from utils.data.records import Message
from utils.models.generate import LocalModel, batch_seed, length_sorted_batches

PROMPTS = [[Message("user", text)] for text in ("Hi", "你好，请介绍一下自己。", "Name three fruits, please.", "什么?")]


@pytest.fixture(scope="module")
def model(tiny_model):
    return LocalModel(tiny_model, batch_size=2)


def test_greedy_answers_do_not_depend_on_padding(model):
    together = model.answer(PROMPTS, max_new_tokens=8, temperature=0)
    alone = [model.answer([prompt], max_new_tokens=8, temperature=0)[0] for prompt in PROMPTS]
    assert together == alone


def test_sampling_is_reproducible_and_order_does_not_matter(model):
    first = model.answer(PROMPTS, samples=2, max_new_tokens=6, seed=3)
    assert first == model.answer(PROMPTS, samples=2, max_new_tokens=6, seed=3)
    assert first != model.answer(PROMPTS, samples=2, max_new_tokens=6, seed=4)
    backwards = model.answer(PROMPTS[::-1], samples=2, max_new_tokens=6, seed=3)
    assert [backwards[6:8], backwards[4:6], backwards[2:4], backwards[0:2]] == [first[n : n + 2] for n in (0, 2, 4, 6)]
    assert first[0] != first[1]  # two samples of one prompt are two draws


def test_samples_of_one_prompt_differ_across_batches(model):
    answers = model.answer(PROMPTS[:1], samples=6, max_new_tokens=8)  # three batches with the same prompt
    assert len({answer.text for answer in answers}) == 6


def test_a_batch_is_the_same_without_the_others(model):
    shortest = sorted(PROMPTS, key=lambda prompt: len(model.template.prompt(prompt)))[:2]
    everything = model.answer(PROMPTS, max_new_tokens=6, seed=3)
    alone = model.answer(shortest, max_new_tokens=6, seed=3)
    assert alone == [everything[PROMPTS.index(prompt)] for prompt in shortest]


def test_finish_reasons(model, monkeypatch):
    cut = model.answer(PROMPTS[:1], max_new_tokens=3, temperature=0)[0]
    assert (cut.tokens, cut.finish_reason) == (3, "length")
    monkeypatch.setattr(model, "ends", list(range(len(model.tokenizer))))
    stopped = model.answer(PROMPTS[:1], max_new_tokens=3, temperature=0)[0]
    assert (stopped.tokens, stopped.finish_reason) == (1, "stop")


def test_the_callers_random_state_is_left_alone(model):
    import torch

    torch.manual_seed(9)
    expected = torch.rand(2)
    torch.manual_seed(9)
    model.answer(PROMPTS[:1], max_new_tokens=2)
    assert torch.equal(torch.rand(2), expected)


def test_no_prompts_no_answers(model):
    assert model.answer([]) == []


def test_batches_are_sorted_by_length_then_content():
    rows = [[5, 5], [1], [3, 3, 3], [2], [4, 4]]
    assert list(length_sorted_batches(rows, 2)) == [[1, 3], [4, 0], [2]]


def test_batch_seed_depends_on_seed_and_content():
    assert batch_seed(1, [[1, 2]]) == batch_seed(1, [(1, 2)])
    assert len({batch_seed(1, [[1, 2]]), batch_seed(2, [[1, 2]]), batch_seed(1, [[1], [2]])}) == 3
