"""Bodies out, answers in; Retry-After; and the waits between tries."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from utils.models.chat.backoff import delays, retry_after
from utils.models.chat.protocol import Answer
from utils.models.chat.wire import MalformedResponseError, answer_in


def response(**message):
    return {"choices": [{"message": message, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        "text",
        {},
        {"choices": None},
        {"choices": []},
        {"choices": ["a"]},
        {"choices": [{}]},
        {"choices": [{"message": "a"}]},
        {"choices": [{"text": 5}]},
        response(content=5),
        response(content={"a": 1}),
    ],
)
def test_what_is_no_answer(broken):
    with pytest.raises(MalformedResponseError):
        answer_in(broken)


@pytest.mark.parametrize(
    ("content", "text"),
    [("hi", "hi"), ("", ""), ([{"type": "text", "text": "a"}, {"text": "b"}], "ab"), ("a\ud800", "a\ufffd")],
)
def test_texts(content, text):
    assert answer_in(response(content=content)) == Answer(text=text, finish_reason="stop")


@pytest.mark.parametrize("message", [{"content": None, "refusal": "I cannot"}, {"refusal": "I cannot"}])
def test_no_text_is_an_error(message):
    answer = answer_in(response(**message))
    assert (answer.text, answer.error) == (None, "the model gave no text: I cannot")


def test_odd_usage_and_logprobs_are_unknown_not_zero():
    odd = response(content="a") | {"usage": {"prompt_tokens": "7", "completion_tokens": -1}, "model": 3}
    odd["choices"][0]["logprobs"] = {"content": [{"top_logprobs": [{"token": "8", "logprob": None}, "x"]}]}
    assert answer_in(odd) == Answer(text="a", finish_reason="stop")


NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7),
        ("0.5", 0.5),
        ("-3", 0),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("", None),
    ],
)
def test_retry_after(value, seconds):
    assert retry_after(value, NOW) == seconds


def test_waits_double_with_jitter_from_the_seed():
    waits = list(islice(delays("a", first_s=1, longest_s=10), 8))
    for wait, full in zip(waits, [1, 2, 4, 8, 10, 10, 10, 10], strict=True):
        assert full / 2 <= wait <= full
    assert waits == list(islice(delays("a", first_s=1, longest_s=10), 8))
    assert waits != list(islice(delays("b", first_s=1, longest_s=10), 8))
