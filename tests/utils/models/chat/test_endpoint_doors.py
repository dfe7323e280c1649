"""Where data may go (S10), and the key that nobody sees (S9)."""

from __future__ import annotations

import json

import pytest

from tests.support.chat_server import Step, chat_server
from tests.utils.models.chat.asking import ask_for, opened
from utils.errors import UserError
from utils.models.chat.config import EndpointConfig

CANARY = "sk-canary-4f1d2c9e8b7a"


def config(**keys):
    return EndpointConfig.model_validate({"kind": "endpoint", "model": "m"} | keys)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"base_url": "https://api.example.com/v1"}, "data would leave this machine for api.example.com"),
        (
            {"base_url": "https://api.example.com.evil.org/v1", "allow_hosts": ["api.example.com"]},
            "data would leave this machine for api.example.com.evil.org",
        ),
        ({"base_url": "https://api.example.com@evil.org/v1", "allow_hosts": ["api.example.com"]}, "holds a user"),
        ({"base_url": "https://evil.org\\@api.example.com/v1", "allow_hosts": ["api.example.com"]}, "holds a user"),
        ({"base_url": "http://api.example.com/v1", "allow_hosts": ["api.example.com"]}, "plain http"),
        ({"base_url": "http://127.0.0.1.evil.org/v1"}, "data would leave"),
        ({"base_url": "http://localhost.evil.org/v1"}, "data would leave"),
        ({"base_url": "http://0.0.0.0:8000/v1"}, "data would leave"),
        ({"base_url": "http://localhost./v1"}, "data would leave"),
        ({"base_url": "http://2130706433/v1"}, "data would leave this machine for 2130706433"),
        ({"base_url": "http://0x7f000001/v1"}, "data would leave"),
        ({"base_url": "http://127.1/v1"}, "data would leave"),
        ({"base_url": "http://127。0。0。1/v1"}, "data would leave"),
        ({"base_url": "http://localhost;evil.org/v1"}, "data would leave"),
        ({"base_url": "http://[::1]evil.org/v1"}, "no http"),
        ({"base_url": "http://evil.org[::1]/v1"}, "no http"),
        ({"base_url": "http://[::1%25.evil.org]/v1"}, "no http"),
        ({"base_url": "http://127.0.0.1%2eevil.org/v1"}, "no http"),
        ({"base_url": "https://api.example.com./v1", "allow_hosts": ["api.example.com"]}, "data would leave"),
        ({"base_url": "https://sub.api.example.com/v1", "allow_hosts": ["api.example.com"]}, "data would leave"),
        ({"base_url": "https://[2001:db8::1]/v1", "allow_hosts": ["api.example.com"]}, "data would leave"),
        ({"base_url": "http://localhost@evil.org/v1"}, "holds a user"),
        ({"base_url": "https://127.0.0.1/v1?key=x"}, "a query"),
        ({"base_url": "file:///etc/passwd"}, "no http"),
        ({"base_url": "127.0.0.1:8000/v1"}, "no http"),
        ({"base_url": "http://127.0.0.1:99999/v1"}, "[Pp]ort"),
        ({"base_url": "http://127.0.0.1/v1\r\nX: y"}, "no http"),
        ({"base_url": "http://127.0.0.1/v1", "extra_body": {"messages": []}}, "extra_body"),
        ({"base_url": "http://127.0.0.1/v1", "limits": {"budget": 1.0}}, "needs prices"),
    ],
)
def test_where_data_may_not_go(keys, why):
    with pytest.raises(ValueError, match=why):
        config(**keys)


@pytest.mark.parametrize(
    ("keys", "leaves"),
    [
        ({"base_url": "http://127.0.0.1:8000/v1/"}, None),
        ({"base_url": "http://[::1]:8000/v1"}, None),
        ({"base_url": "http://localhost/v1"}, None),
        ({"base_url": "http://LOCALHOST:8000/v1"}, None),
        ({"base_url": "http://127.9.9.9/v1"}, None),
        ({"base_url": "http://[0:0:0:0:0:0:0:1]/v1"}, None),
        ({"base_url": "https://[2001:db8::1]/v1", "allow_hosts": ["2001:DB8::1"]}, "https://[2001:db8::1]"),
        ({"base_url": "https://API.example.com/v1", "allow_hosts": ["api.Example.com"]}, "https://API.example.com"),
        (
            {"base_url": "http://judge.lan:8000/v1", "allow_hosts": ["judge.lan"], "insecure": True},
            "http://judge.lan:8000",
        ),
    ],
)
def test_where_data_may_go_and_what_dry_run_says(keys, leaves):
    said = config(**keys).leaves_host
    assert said == (leaves and f"the messages of every request go to {leaves} (model m)")


def test_a_key_by_value_is_refused():
    with pytest.raises(ValueError, match="env:NAME or file:PATH"):
        config(base_url="http://127.0.0.1/v1", api_key=CANARY)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_refused(tmp_path, status):
    with chat_server() as other, chat_server(Step(status, "", {"Location": f"{other.url}/chat/completions"})) as server:
        with opened(server, tmp_path) as model, pytest.raises(UserError, match=f"HTTP {status}"):
            model.ask(ask_for("a"))
        assert not other.calls


def test_proxies_and_passwords_of_the_environment_are_not_used(tmp_path, monkeypatch):
    with chat_server() as proxy, chat_server() as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        with opened(server, tmp_path) as model:
            model.ask(ask_for("a"))
        assert not proxy.calls
        assert "authorization" not in server.calls[0].headers


def test_the_key_is_sent_and_found_nowhere(tmp_path, monkeypatch, capfd):
    (tmp_path / "key").write_text(f"{CANARY}\n")
    echo = json.dumps({"choices": [{"message": {"content": f"your key is {CANARY}"}}]})
    steps = [Step(200, echo), Step(400, f"bad key {CANARY}"), Step(401, f"wrong key {CANARY}")]
    run = tmp_path / "run"
    with (
        chat_server(*steps) as server,
        opened(server, run, api_key=f"file:{tmp_path / 'key'}", limits={"concurrency": 1}) as model,
    ):
        answers = model.ask(ask_for("a", "b"))
        with pytest.raises(UserError) as caught:
            model.ask(ask_for("c"))
    assert {call.headers["authorization"] for call in server.calls} == {f"Bearer {CANARY}"}
    assert answers[0].text == "your key is ***"
    shown = repr([answers, str(caught.value), vars(model._transport)]) + "".join(capfd.readouterr())
    assert CANARY not in shown
    assert not [path for path in run.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]


def test_a_key_that_is_none_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("EMPTY_ONE", "a\nb")
    with (
        chat_server() as server,
        pytest.raises(UserError, match="holds is no key"),
        opened(server, tmp_path, api_key="env:EMPTY_ONE"),
    ):
        pass


def test_answers_are_not_altered(tmp_path, monkeypatch):
    """Only our own key is masked: a text that looks like some key, or has the word of a key that is none, stays."""
    monkeypatch.setenv("NO_KEY", "EMPTY")
    with chat_server() as server, opened(server, tmp_path, api_key="env:NO_KEY") as model:
        assert model.ask(ask_for("EMPTY sk-abcdefgh12345678"))[0].text == "echo EMPTY sk-abcdefgh12345678"
    assert server.calls[0].headers["authorization"] == "Bearer EMPTY"
