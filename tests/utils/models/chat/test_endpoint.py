"""An endpoint that misbehaves as told: what is tried again, what is an error, what stays pending (F16)."""

from __future__ import annotations

import json
import time

import pytest

from tests.support.chat_server import Step, chat_server
from tests.utils.models.chat.asking import ask_for, opened
from utils.data.records import Message
from utils.errors import RetryLaterError, UserError
from utils.models.chat.protocol import Request, Sampling


def test_answers_come_in_order_in_parallel_and_are_paid_once(tmp_path):
    texts = [f"问题 {n}" for n in range(20)]
    with chat_server(always=Step(delay_s=0.05)) as server:
        with opened(server, tmp_path, limits={"concurrency": 5}) as model:
            answers = model.ask(ask_for(*texts, texts[0]))
        assert [answer.text for answer in answers] == [f"echo {text}" for text in [*texts, texts[0]]]
        assert {(a.prompt_tokens, a.completion_tokens, a.finish_reason, a.cached) for a in answers} == {
            (100, 10, "stop", False)
        }
        assert len(server.calls) == 20
        assert 1 < max(call.together for call in server.calls) <= 5
        with opened(server, tmp_path) as model:
            again = model.ask(ask_for(*texts))
        assert [answer.text for answer in again] == [answer.text for answer in answers[:20]]
        assert all(answer.cached for answer in again)
        assert len(server.calls) == 20
        assert model.counts == {"cached": 20, "asked": 0}


def test_another_model_revision_sampling_or_schema_is_another_answer(tmp_path):
    with chat_server() as server:
        for keys in ({}, {"revision": "2"}, {"model": "n"}, {"extra_body": {"top_k": 1}}):
            with opened(server, tmp_path, **keys) as model:
                model.ask(ask_for("a"))
        with opened(server, tmp_path) as model:
            model.ask(ask_for("a", temperature=0.5))
            model.ask([Request((Message("user", "a"),), schema={"type": "object"})])
        assert len(server.calls) == 6


@pytest.mark.parametrize(
    "step",
    [
        Step(429),
        Step(500, "oops"),
        Step(503),
        Step(408),
        Step(409),
        Step(202, "accepted"),
        Step(200, "[" * 600 + "]" * 600),
        Step(200, '{"a":' * 900 + "1" + "}" * 900),
        Step(200, "<html>garbage</html>"),
        Step(200, '{"choices": [{"message": {"content": "cut'),
        Step(200, '{"choices": []}'),
        Step(200, '{"error": {"message": "overloaded"}}'),
        Step(200, "[" * 100_000),
        Step(200, "short", declared=5000),
        Step(hang_up=True),
    ],
)
def test_what_may_pass_is_tried_again(tmp_path, step):
    with chat_server(step, step) as server, opened(server, tmp_path) as model:
        assert model.ask(ask_for("a"))[0].text == "echo a"
        assert len(server.calls) == 3


@pytest.mark.parametrize("step", [Step(delay_s=3), Step(drip_s=0.05)])
def test_a_slow_answer_is_given_up_and_tried_again(tmp_path, step):
    begun = time.monotonic()
    with chat_server(step) as server, opened(server, tmp_path, limits={"timeout_s": 0.4}) as model:
        assert model.ask(ask_for("a"))[0].text == "echo a"
        assert model.counts["time over"] == 1
    assert time.monotonic() - begun < 2.5


def test_a_connection_refused_is_tried_again_then_pending(tmp_path):
    with chat_server() as server:
        pass
    with (
        opened(server, tmp_path, limits={"tries": 2}) as model,
        pytest.raises(RetryLaterError, match="1 of 1 requests have no answer after 2 tries: no connection"),
    ):
        model.ask(ask_for("a"))


def test_what_has_no_answer_is_pending_and_the_others_are_kept(tmp_path):
    with chat_server(*[Step(500)] * 2) as server:
        with (
            opened(server, tmp_path, limits={"tries": 2, "concurrency": 1}) as model,
            pytest.raises(RetryLaterError, match=r"1 of 3 requests have no answer after 2 tries: HTTP 500 ×1"),
        ):
            model.ask(ask_for("a", "b", "c"))
        assert len(server.calls) == 4
        with opened(server, tmp_path) as model:
            assert [answer.cached for answer in model.ask(ask_for("a", "b", "c"))] == [False, True, True]
        assert len(server.calls) == 5


def test_a_refused_request_is_an_error_and_never_an_answer(tmp_path):
    said = '{"error": {"message": "too long"}}'
    with chat_server(Step(400, said)) as server, opened(server, tmp_path, limits={"concurrency": 1}) as model:
        bad, good = model.ask(ask_for("a", "b"))
        assert (bad.text, bad.error) == (None, f"HTTP 400: {said}")
        assert good.text == "echo b"
        server.script.append(Step(403, "moderated"))  # after an answer: about this request, not about the key
        assert model.ask(ask_for("c"))[0].error == "HTTP 403: moderated"


@pytest.mark.parametrize(("status", "named"), [(401, "api_key"), (403, "api_key"), (404, "base_url and model")])
def test_a_wrong_key_or_model_is_the_users_error(tmp_path, status, named):
    with (
        chat_server(always=Step(status, "no")) as server,
        opened(server, tmp_path) as model,
        pytest.raises(UserError, match=named),
    ):
        model.ask(ask_for("a"))


def test_an_endpoint_that_refuses_everything_is_the_users_error_and_one_that_answers_is_not(tmp_path):
    texts = [str(number) for number in range(30)]
    with chat_server(always=Step(400, "unknown key max_tokens")) as server:
        with (
            opened(server, tmp_path / "never", limits={"concurrency": 1}) as model,
            pytest.raises(
                UserError, match="refused the first 20 requests, the last with HTTP 400: unknown key max_tok"
            ),
        ):
            model.ask(ask_for(*texts))
        assert len(server.calls) in (20, 21)  # the next one may be on its way when the twentieth refusal is read
        server.script.append(Step())
        with opened(server, tmp_path / "once", limits={"concurrency": 1}) as model:
            assert [answer.error for answer in model.ask(ask_for(*texts))].count(None) == 1


def test_no_money_is_pending(tmp_path):
    with (
        chat_server(Step(402, "Insufficient Balance")) as server,
        opened(server, tmp_path) as model,
        pytest.raises(RetryLaterError, match="Insufficient Balance"),
    ):
        model.ask(ask_for("a"))


def test_schema_sampling_and_first_token(tmp_path):
    schema = {"type": "object", "properties": {"score": {"type": "integer"}}}
    request = Request(
        (Message("system", "s"), Message("user", "u")),
        Sampling(max_tokens=7, temperature=0.3, top_p=0.9, seed=5, stop=("\n",), top_logprobs=2),
        schema,
    )
    with chat_server() as server, opened(server, tmp_path, extra_body={"top_p": None, "top_k": 3}) as model:
        answer = model.ask([request])[0]
        assert model.ask([request])[0].first_token == answer.first_token
    assert answer.first_token == {"8": -0.1, "9": -2.5}
    assert server.calls[0].path == "/v1/chat/completions"
    assert server.calls[0].body == {
        "model": "m",
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
        "max_tokens": 7,
        "temperature": 0.3,
        "seed": 5,
        "stop": ["\n"],
        "logprobs": True,
        "top_logprobs": 2,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": schema},
        },
        "top_k": 3,
    }


def test_an_endpoint_without_schemas_is_asked_without_and_counted(tmp_path):
    requests = [Request((Message("user", text),), schema={"type": "object"}) for text in "abc"]
    with chat_server(no_schema=True) as server, opened(server, tmp_path, limits={"concurrency": 1}) as model:
        assert [answer.text for answer in model.ask(requests)] == ["echo a", "echo b", "echo c"]
        assert model.counts["without the schema"] == 3
    assert ["response_format" in call.body for call in server.calls] == [True, False, False, False]
    lines = [json.loads(line) for line in next(tmp_path.rglob("answers.jsonl")).read_text().splitlines()]
    assert [line["structured"] for line in lines] == [False] * 3


def test_a_request_that_is_bad_with_and_without_schema_blames_not_the_schema(tmp_path):
    requests = [Request((Message("user", text),), schema={"type": "object"}) for text in "ab"]
    with chat_server(Step(400, "bad"), Step(400, "bad")) as server:
        with opened(server, tmp_path, limits={"concurrency": 1}) as model:
            assert [answer.error for answer in model.ask(requests)] == ["HTTP 400: bad", None]
        assert ["response_format" in call.body for call in server.calls] == [True, False, True]


def test_the_completion_api_asks_the_text_as_it_is(tmp_path):
    with chat_server() as server, opened(server, tmp_path, api="completion") as model:
        answer = model.ask(ask_for("任务：", top_logprobs=2))[0]
    assert (answer.text, answer.first_token) == ("echo 任务：", {"8": -0.1, "9": -2.5})
    assert server.calls[0].path == "/v1/completions"
    assert server.calls[0].body["prompt"] == "任务："


def test_an_error_ends_the_waiting_of_the_others(tmp_path):
    limits = {"first_wait_s": 30, "longest_wait_s": 30, "concurrency": 2}
    begun = time.monotonic()
    with (
        chat_server(Step(500), Step(401)) as server,
        opened(server, tmp_path, limits=limits) as model,
        pytest.raises(UserError),
    ):
        model.ask(ask_for("a", "b", "c", "d"))
    assert time.monotonic() - begun < 5
