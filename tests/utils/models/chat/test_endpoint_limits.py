"""Rates, pauses, the breaker and the budget, shared by all processes of a host (F16)."""

from __future__ import annotations

import json
import signal
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.support.chat_server import Step, chat_server
from tests.utils.models.chat.asking import ask_for, ask_in_child, opened, wait_for
from utils.errors import RetryLaterError
from utils.models.chat.cost import ledger


def test_requests_are_spaced_over_processes(tmp_path):
    limits = {"requests_per_minute": 600, "concurrency": 4}  # one in 0.1 s
    with chat_server() as server:
        children = [ask_in_child(server, tmp_path, [f"{n} {m}" for m in range(6)], limits) for n in range(2)]
        assert [child.wait(60) for child in children] == [0, 0]
        moments = sorted(call.at for call in server.calls)
    assert len(moments) == 12
    assert moments[-1] - moments[0] >= 11 * 0.1 - 0.3  # a busy machine sends the first call late


def test_concurrency_holds_over_processes(tmp_path):
    with chat_server(always=Step(delay_s=0.1)) as server:
        children = [
            ask_in_child(server, tmp_path, [f"{n} {m}" for m in range(8)], {"concurrency": 2}) for n in range(2)
        ]
        assert [child.wait(60) for child in children] == [0, 0]
    assert len(server.calls) == 16
    assert max(call.together for call in server.calls) == 2


def test_tokens_are_spaced_and_given_back(tmp_path):
    limits = {"tokens_per_minute": 60_000, "concurrency": 1}  # 1000 a second
    requests = ask_for(*"abcde", max_tokens=500)  # reserves 536, uses 110
    with chat_server() as server, opened(server, tmp_path, limits=limits) as model:
        model.ask(requests)
    assert 4 * 0.1 <= server.calls[-1].at - server.calls[0].at < 4 * 0.4


def test_a_broken_endpoint_is_left_alone_then_tried_again(tmp_path):
    limits = {"breaker_failures": 3, "breaker_rest_s": 1.0, "concurrency": 1}
    with chat_server(*[Step(500)] * 3) as server:
        for _ in range(2):  # the second run, started at once, does not call
            with (
                opened(server, tmp_path, limits=limits) as model,
                pytest.raises(RetryLaterError, match="3 failures in a row, the last: HTTP 500"),
            ):
                model.ask(ask_for("a", "b"))
            assert len(server.calls) == 3
        time.sleep(1.1)
        with opened(server, tmp_path, limits=limits) as model:
            assert [answer.text for answer in model.ask(ask_for("a", "b"))] == ["echo a", "echo b"]


def test_rate_limits_do_not_open_the_breaker(tmp_path):
    with chat_server(*[Step(429)] * 4) as server, opened(server, tmp_path, limits={"breaker_failures": 2}) as model:
        assert model.ask(ask_for("a"))[0].text == "echo a"


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_obeyed_by_all(tmp_path, form):
    with chat_server() as server, opened(server, tmp_path, limits={"concurrency": 3}) as model:
        moment = datetime.now(UTC) + timedelta(seconds=2)  # a date has whole seconds
        server.script.append(Step(429, headers={"Retry-After": "1" if form == "seconds" else format_datetime(moment)}))
        assert len(model.ask(ask_for("a"))) == 1
        first, second = (call.at for call in server.calls)
        assert 0.9 < second - first < 3
        server.script.append(Step(429, headers={"Retry-After": "1"}))
        server.always = Step(delay_s=0.1)
        model.ask(ask_for(*"bcdefghijkl"))
        gaps = [call.at - server.calls[2].at for call in server.calls[3:]]
        assert not [gap for gap in gaps if 0.3 < gap < 0.9]  # those under way end, then nobody calls


def test_a_retry_after_beyond_patience_ends_the_run(tmp_path):
    with (
        chat_server(Step(429, headers={"Retry-After": "3600"})) as server,
        opened(server, tmp_path) as model,
        pytest.raises(RetryLaterError, match="asks to wait 3600 s") as caught,
    ):
        model.ask(ask_for("a"))
    assert caught.value.exit_code == 75
    assert len(server.calls) == 1


# 100 prompt tokens and 10 answered: 0.0012 for an answer
PRICES = {"prompt": 10.0, "completion": 20.0}


def most_of(size, max_tokens):
    """What a request of so many bytes can cost: its bytes, its frame, the template, and the longest answer."""
    return (size + 8 + 100) * 10e-6 + max_tokens * 20e-6


def test_costs_and_budget(tmp_path):
    most = most_of(1, 10)
    limits = {"prices": PRICES, "budget": 3 * 0.0012 + most - 1e-7, "concurrency": 4}
    with chat_server() as server:
        with (
            opened(server, tmp_path, limits=limits) as model,
            pytest.raises(RetryLaterError, match=r"0\.0036 of the budget"),
        ):
            model.ask(ask_for(*"abcdefgh", max_tokens=10))
        assert len(server.calls) == 3
        paid = ledger(tmp_path)
        assert [(row["model"], row["answers"], row["prompt_tokens"], row["estimated"]) for row in paid] == [
            ("m", 3, 300, 0)
        ]
        assert paid[0]["cost"] == pytest.approx(0.0036)
        with opened(server, tmp_path, limits=limits | {"budget": 1.0}) as model:
            answers = model.ask(ask_for(*"abcdefgh", max_tokens=10))
        assert [answer.text for answer in answers] == [f"echo {letter}" for letter in "abcdefgh"]
        assert len(server.calls) == 8
    assert ledger(tmp_path)[0]["cost"] == pytest.approx(8 * 0.0012)


def test_the_budget_is_not_exceeded_by_calls_under_way(tmp_path):
    limits = {"prices": PRICES, "budget": 0.0012 + most_of(1, 10), "concurrency": 8}
    with (
        chat_server(always=Step(delay_s=0.1)) as server,
        opened(server, tmp_path, limits=limits) as model,
        pytest.raises(RetryLaterError, match="budget"),
    ):
        model.ask(ask_for(*"abcdefgh", max_tokens=10))
    assert len(server.calls) == 2
    assert ledger(tmp_path)[0]["cost"] <= limits["budget"]


def test_what_a_dead_process_held_is_free_again(tmp_path):
    most = most_of(1, 512)
    limits = {"prices": PRICES, "budget": 1.5 * most, "timeout_s": 30}  # what is held by the dead leaves no room
    with chat_server(Step(delay_s=20)) as server:
        child = ask_in_child(server, tmp_path, ["x"], limits)
        wait_for(lambda: server.calls)
        child.send_signal(signal.SIGKILL)
        child.wait(10)
        with opened(server, tmp_path, limits=limits) as model:
            assert model.ask(ask_for("a"))[0].text == "echo a"


def test_tokens_not_told_are_estimated_at_most_and_said_so(tmp_path):
    body = json.dumps({"choices": [{"message": {"content": "hi"}}]})
    with chat_server(Step(200, body)) as server, opened(server, tmp_path, limits={"prices": PRICES}) as model:
        model.ask(ask_for("a", max_tokens=5))
    row = ledger(tmp_path)[0]
    assert (row["estimated"], row["cost"]) == (1, pytest.approx(most_of(1, 5)))
