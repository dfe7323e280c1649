"""A tiny real model, as a chat model in this process."""

from __future__ import annotations

import sys

import pytest
from pydantic import TypeAdapter

from utils.data.records import Message
from utils.errors import UserError
from utils.models.chat.config import ChatModelConfig
from utils.models.chat.local import first_tokens
from utils.models.chat.protocol import Request, Sampling
from utils.models.generate import LocalModel

TEXTS = ["Hi", "你好，请介绍一下自己。", "Name three fruits, please."]


def requests(**sampling):
    return [Request((Message("user", text),), Sampling(**({"max_tokens": 6} | sampling))) for text in TEXTS]


@pytest.fixture(scope="module")
def model(tiny_model, tmp_path_factory):
    config = TypeAdapter(ChatModelConfig).validate_python({"kind": "local", "path": tiny_model, "batch_size": 2})
    with config.open(tmp_path_factory.mktemp("run")) as opened:
        yield opened


def test_it_answers_as_the_model_does(model, tiny_model):
    plain = LocalModel(tiny_model, batch_size=2)
    expected = plain.answer([request.messages for request in requests()], max_new_tokens=6, temperature=0)
    mixed = [*requests(), *requests(temperature=0.9, seed=3)]
    answers = model.ask(mixed)
    assert [answer.text for answer in answers[:3]] == [answer.text for answer in expected]
    assert [answer.completion_tokens for answer in answers[:3]] == [answer.tokens for answer in expected]
    assert answers == model.ask(mixed)
    assert answers[0].prompt_tokens == len(plain.template.prompt(requests()[0].messages))


def test_the_first_token_by_hand_and_whatever_the_padding(model, tiny_model):
    import torch

    plain = LocalModel(tiny_model, batch_size=3)
    answers = model.ask(requests(top_logprobs=5))
    for request, answer in zip(requests(), answers, strict=True):
        ids = torch.tensor([plain.template.prompt(request.messages)])
        with torch.inference_mode():
            logits = plain.model(input_ids=ids).logits[0, -1]
        values, tokens = torch.log_softmax(logits, dim=-1).topk(5)
        assert list(answer.first_token) == list(dict.fromkeys(map(plain.tokenizer.decode, tokens.tolist())))
        assert next(iter(answer.first_token.values())) == pytest.approx(values[0].item(), abs=1e-5)
    whole = first_tokens(plain, [requests()[0].messages], 10_000)[0]
    assert len(whole) <= len(plain.tokenizer)


def test_stop_texts_end_an_answer(model):
    text = model.ask(requests(temperature=0.9, seed=3))[0].text
    stop = text[2:4]
    cut = model.ask(requests(temperature=0.9, seed=3, stop=("never", stop)))[0]
    assert (cut.text, cut.finish_reason) == (text[: text.index(stop)], "stop")


def test_what_it_cannot_take_is_an_error_of_that_request(model):
    long = Request((Message("user", "长" * 400),), Sampling(max_tokens=6))
    answers = model.ask([requests()[0], long])
    assert answers[0].error is None
    assert answers[1].text is None
    assert "over the model's 256" in answers[1].error
    assert model.ask([]) == []


def test_vllm_says_when_it_is_not_there(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    config = TypeAdapter(ChatModelConfig).validate_python({"kind": "vllm", "path": tiny_model})
    with pytest.raises(UserError, match="vLLM is not installed"), config.open(tmp_path):
        pass
