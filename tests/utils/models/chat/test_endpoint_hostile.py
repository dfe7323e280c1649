"""An endpoint that means harm or is odd: nothing it sends ends a run, leaks the key or fills the memory (F16, S9)."""

from __future__ import annotations

import errno
import json
import threading
import time
from datetime import UTC, datetime

import pytest

from tests.support.chat_server import Step, chat_server
from tests.utils.models.chat.asking import ask_for, ask_in_child, opened
from utils.errors import RetryLaterError
from utils.models.chat.backoff import retry_after
from utils.models.chat.breaker import Breaker
from utils.models.chat.cost import ledger
from utils.models.chat.locked import shared_state

CANARY = "sk/canary/4f1d2c9e8b7a"


def answer(**keys):
    return {"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "hi"}} | keys]}


@pytest.mark.parametrize("step", [Step(head_drip_s=0.1), Step(drip_s=0.1), Step(delay_s=5)])
def test_the_limit_is_of_the_whole_call_however_its_bytes_drip(tmp_path, step):
    begun = time.monotonic()
    with chat_server(step) as server, opened(server, tmp_path, limits={"timeout_s": 0.5}) as model:
        assert model.ask(ask_for("a"))[0].text == "echo a"
        assert model.counts["time over"] == 1
    assert time.monotonic() - begun < 4


@pytest.mark.parametrize("coding", ["gzip", "zstd", "br"])
def test_what_is_packed_is_not_unpacked(tmp_path, coding):
    step = Step(200, "\x28\xb5", headers={"Content-Encoding": coding})
    with chat_server(step) as server, opened(server, tmp_path) as model:
        assert model.ask(ask_for("a"))[0].text == "echo a"
        assert model.counts["the response is compressed, which was not asked for"] == 1
        assert server.calls[0].headers["accept-encoding"] == "identity"


def test_a_huge_reply_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("utils.models.chat.endpoint._LARGEST_RESPONSE", 1 << 20)
    with chat_server(Step(200, "x" * (1 << 22))) as server, opened(server, tmp_path) as model:
        assert model.ask(ask_for("a"))[0].text == "echo a"
        assert model.counts["the response is too large"] == 1


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (answer() | {"model": "\ud800m"}, {"text": "hi", "model": "\ufffdm"}),
        (answer(finish_reason="\udfff"), {"text": "hi", "finish_reason": "\ufffd"}),
        (answer(message={"content": None, "refusal": "no\ud800"}), {"error": "the model gave no text: no\ufffd"}),
        (answer(message={"content": "half \ud83d"}), {"text": "half \ufffd"}),
        (answer() | {"usage": {"prompt_tokens": 10**30, "completion_tokens": -1}}, {"prompt_tokens": None}),
        (answer(logprobs={"content": [{"top_logprobs": [{"token": "5", "logprob": 10**400}]}]}), {"first_token": None}),
        (answer(logprobs={"content": [{"top_logprobs": [{"token": "5", "logprob": 1e308}]}]}), {"first_token": None}),
        (answer(logprobs={"top_logprobs": [{"5": 1e-9, "4": -2}]}), {"first_token": {"5": 0.0, "4": -2.0}}),
    ],
)
def test_what_json_can_hold_and_we_cannot_is_read_or_left_out(tmp_path, response, expected):
    with chat_server(Step(200, json.dumps(response))) as server:
        with opened(server, tmp_path) as model:
            found = model.ask(ask_for("a"))[0]
            again = model.ask(ask_for("a"))[0]
        assert len(server.calls) == 1
    assert {name: getattr(found, name) for name in expected} == expected
    assert {name: getattr(again, name) for name in expected} == expected


def test_a_key_that_comes_back_escaped_is_masked_too(tmp_path, monkeypatch):
    monkeypatch.setenv("CHAT_KEY", CANARY)
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in CANARY)
    slashed = CANARY.replace("/", "\\/")
    body = f'{{"model": "{escaped}", "choices": [{{"message": {{"content": "{escaped} {slashed}"}}}}]}}'
    run = tmp_path / "run"
    with chat_server(Step(200, body)) as server, opened(server, run, api_key="env:CHAT_KEY") as model:
        found = model.ask(ask_for("a"))[0]
    assert (found.text, found.model) == ("*** ***", "***")
    assert not [path for path in run.rglob("*") if path.is_file() and b"canary" in path.read_bytes()]


def test_a_server_that_drops_kept_connections_costs_no_answer(tmp_path):
    with (
        chat_server(always=Step(drop=True)) as server,
        opened(server, tmp_path, limits={"concurrency": 1, "tries": 3}) as model,
    ):
        for text in "abcdef":
            assert model.ask(ask_for(text))[0].text == f"echo {text}"
            time.sleep(0.05)


def test_equal_requests_of_two_processes_at_once_are_paid_once(tmp_path):
    limits = {"concurrency": 4, "timeout_s": 30}
    with chat_server(always=Step(delay_s=1.5)) as server:
        children = [ask_in_child(server, tmp_path, ["same", str(number)], limits) for number in range(3)]
        assert [child.wait(60) for child in children] == [0, 0, 0]
        asked = [call.body["messages"][0]["content"] for call in server.calls]
    assert sorted(asked) == ["0", "1", "2", "same"]
    assert ledger(tmp_path)[0]["answers"] == 4


def test_a_clock_that_was_set_back_does_not_hold_the_breaker_open(tmp_path):
    breaker = Breaker(tmp_path, name="m", failures=1, rest_s=60)
    breaker.failed("HTTP 500")
    with pytest.raises(RetryLaterError):
        breaker.check()
    with shared_state(tmp_path / "breaker.json") as state:
        state["open_until"] += 86_400  # as it looks after the clock went back by a day
    breaker.check()


def test_shared_state_is_never_cut_in_two(tmp_path):
    """A shorter state replaces a longer one in one write: with a second one, a kill in between would lose the state."""
    file = tmp_path / "state.json"
    with shared_state(file) as state:
        state["long"] = "x" * 500
    size = file.stat().st_size
    with shared_state(file) as state:
        state.clear()
        state["short"] = 1
    assert file.stat().st_size == size
    assert json.loads(file.read_text()) == {"short": 1}
    file.write_text('{"short": 1}xxx')
    with shared_state(file) as state:
        assert state == {}


def test_threads_of_a_process_do_not_lose_changes(tmp_path):
    def add():
        for _ in range(50):
            with shared_state(tmp_path / "n.json") as state:
                state["n"] = state.get("n", 0) + 1

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert json.loads((tmp_path / "n.json").read_text()) == {"n": 200}


@pytest.mark.parametrize(
    "value",
    ["", "soon", "nan", "1e400", "9" * 400, "Fri, 31 Dec 99999 23:59:59 GMT", "1 Jan 1 0:0:0 +99999999999999999999"],
)
def test_a_retry_after_that_is_none_is_none(value):
    assert retry_after(value, datetime.now(UTC)) is None


def test_a_budget_counts_what_was_paid_before_there_were_prices(tmp_path):
    prices = {"prompt": 10.0, "completion": 20.0}  # 0.0012 for an answer of this server
    with chat_server() as server:
        with opened(server, tmp_path) as model:
            model.ask(ask_for("a", "b"))
        limits = {"prices": prices, "budget": 0.003}  # a third answer may cost more than is left
        with (
            opened(server, tmp_path, limits=limits) as model,
            pytest.raises(RetryLaterError, match=r"0\.0024 of the budget 0\.003 is spent"),
        ):
            model.ask(ask_for("c"))
        assert len(server.calls) == 2


@pytest.mark.parametrize("place", ["claims.os.open", "locked.os.pwrite", "cache.replace_json"])
def test_a_full_disk_at_any_place_is_exit_code_75(tmp_path, monkeypatch, place):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with chat_server() as server, monkeypatch.context() as patched:
        patched.setattr(f"utils.models.chat.{place}", full)
        with pytest.raises(RetryLaterError, match="no space left"), opened(server, tmp_path) as model:
            model.ask(ask_for("a"))
