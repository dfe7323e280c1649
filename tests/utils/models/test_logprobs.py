"""Log-probabilities against a loop written out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from utils.models.locate import load_model
from utils.models.logprobs import Likelihood, answer_logprobs, heldout_loss

PAIRS = [([1, 7, 9], [20, 30, 2]), ([1], [40, 2]), ([1, 5, 6, 7, 8, 9, 10], [2]), ([1, 3], [50, 60, 70, 80, 90, 2])]


def test_sums_equal_a_loop_by_hand(tiny_model):
    model = load_model(tiny_model).eval()
    for (prompt, answer), score in zip(PAIRS, answer_logprobs(model, PAIRS, batch_size=3), strict=True):
        total = 0.0
        for place, token in enumerate(answer):
            seen = torch.tensor([prompt + answer[:place]])
            with torch.no_grad():
                logits = model(seen).logits[0, -1]
            total += float(logits[token]) - math.log(sum(math.exp(float(value)) for value in logits))
        assert score.logprob == pytest.approx(total, abs=1e-4)
        assert score.tokens == len(answer)


def test_batch_size_does_not_matter(tiny_model):
    model = load_model(tiny_model).eval()
    one, four = (answer_logprobs(model, PAIRS, batch_size=size) for size in (1, 4))
    assert [score.logprob for score in one] == pytest.approx([score.logprob for score in four], abs=1e-5)


def test_heldout_loss_weighs_every_token_the_same():
    assert heldout_loss([Likelihood(-6.0, 2), Likelihood(-2.0, 2)]) == 2.0
    assert math.isnan(heldout_loss([]))
