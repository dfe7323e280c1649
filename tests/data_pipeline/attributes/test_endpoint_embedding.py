"""`/v1/embeddings` against a real server on loopback that misbehaves as told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import cli
from data_pipeline.attributes.kinds.embedding import vectors_of
from data_pipeline.attributes.kinds.endpoint_embedding import EndpointEmbedding
from data_pipeline.attributes.store import load_attribute
from tests.support.chat_server import ChatServer, Step, chat_server
from tests.support.tiny import ROOT, write_jsonl
from utils.errors import RetryLaterError, UserError
from utils.runs.config import validated

CANARY = "sk-canary-4f1d2c9e8b7a"


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_pipeline.attributes.embedding_client._FIRST_WAIT_S", 0.01)


def kind(url: str, **keys: Any) -> EndpointEmbedding:
    return validated(EndpointEmbedding, {"base_url": url, "model": "m", "dimensions": 2, **keys}, where="here")


def frame(*texts: str) -> pl.DataFrame:
    turns = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
    messages = [[{"role": "user", "content": text}] for text in texts]
    ids = [str(number) for number in range(len(texts))]
    return pl.DataFrame({"id": ids, "messages": messages}, schema={"id": pl.String, "messages": turns})


def vectors(*found: tuple[float, ...], order: tuple[int, ...] | None = None) -> Step:
    data = [{"index": number, "embedding": list(vector)} for number, vector in enumerate(found)]
    return Step(body=json.dumps({"data": [data[number] for number in order or range(len(data))]}))


def test_vectors_in_order_of_length_one_and_what_is_cut(tmp_path: Path) -> None:
    with chat_server(vectors((3, 4), (0, 2), order=(1, 0)), vectors((1, 0))) as server:
        attribute = kind(server.url, batch_size=2, max_characters=3, prefix="q: ").placed(tmp_path)
        table = attribute.measure(frame("苹果", " ", "abcd", "x"), {}, 1)
        assert [call.path for call in server.calls] == ["/v1/embeddings"] * 2
        assert [call.body["input"] for call in server.calls] == [["q: 苹果", "q: abc"], ["q: x"]]
        assert "dimensions" not in server.calls[0].body
    found, valid = vectors_of(table)
    assert valid.tolist() == [True, False, True, True]
    assert found == pytest.approx(np.array([[0.6, 0.8], [0, 1], [1, 0]]), abs=1e-3)
    assert table["characters_cut"].to_pylist() == [0, 0, 1, 0]


def test_what_passes_is_tried_again(tmp_path: Path) -> None:
    faults = [
        Step(429, "", headers={"Retry-After": "0"}), Step(500, ""), Step(body="<html>"), Step(hang_up=True),
        Step(body='{"data": []}'), vectors((0, 0)), Step(body='{"data": [{"index": 0, "embedding": ["x", 1]}]}'),
    ]  # fmt: skip
    with chat_server(*faults, vectors((1, 0))) as server:
        table = kind(server.url, tries=8).placed(tmp_path).measure(frame("a"), {}, 1)
        assert len(server.calls) == 8
    assert vectors_of(table)[0].tolist() == [[1, 0]]


def test_no_answer_is_pending_and_a_long_wait_is_not_waited(tmp_path: Path) -> None:
    with chat_server(always=Step(500, "")) as server, pytest.raises(RetryLaterError, match="after 2 tries: HTTP 500"):
        kind(server.url, tries=2).placed(tmp_path).measure(frame("a"), {}, 1)
    with chat_server(always=Step(429, "", headers={"Retry-After": "9999"})) as server:
        with pytest.raises(RetryLaterError, match="after 1 tries: HTTP 429"):
            kind(server.url).placed(tmp_path).measure(frame("a"), {}, 1)
        assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Step(302, "", headers={"Location": "http://127.0.0.1:9/"}), "redirect"),
        (Step(401, body=f"bad key {CANARY}"), r"HTTP 401: bad key \*\*\*"),
        (vectors((1, 2, 3)), "vectors of 3 numbers, not 2"),
    ],
)
def test_what_will_not_pass_ends_the_run(
    tmp_path: Path, step: Step, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDING_KEY", CANARY)
    with chat_server(always=step) as server:
        attribute = kind(server.url, api_key="env:EMBEDDING_KEY").placed(tmp_path)
        with pytest.raises(UserError, match=message) as caught:
            attribute.measure(frame("a"), {}, 1)
        assert len(server.calls) == 1
        assert server.calls[0].headers["authorization"] == f"Bearer {CANARY}"
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"base_url": "https://api.example.com/v1"}, "allow_hosts"),
        ({"base_url": "http://api.example.com/v1", "allow_hosts": ["api.example.com"]}, "insecure"),
        ({"base_url": "http://127.0.0.1/v1?key=1"}, "query"),
    ],
)
def test_only_named_hosts_get_texts(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        kind(**{"url": keys.pop("base_url"), **keys})


def test_it_says_what_leaves_this_host() -> None:
    assert kind("http://127.0.0.1:1/v1").leaves_host is None
    away = kind("https://api.example.com/v1", allow_hosts=["api.example.com"]).leaves_host
    assert away == "the texts of all rows go to https://api.example.com (model m)"


def test_the_verb_leaves_no_key_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDING_KEY", CANARY)
    source = write_jsonl(tmp_path / "rows.jsonl", [{"instruction": "q", "input": "", "output": "a"}])
    with chat_server(always=vectors((1, 1))) as server:
        attribute = {"kind": "endpoint_embedding", "base_url": server.url, "model": "m", "dimensions": 2}
        attribute |= {"api_key": "env:EMBEDDING_KEY", "shorten": True}
        keys = [f"input={source}", f"output={tmp_path / 'run'}", "executor=local"]
        keys += [f"attributes={json.dumps([attribute])}"]
        assert cli.main(["attributes", "--quiet", *(word for key in keys for word in ("--set", key))]) == 0
        assert server.calls[0].body["dimensions"] == 2
    assert load_attribute(tmp_path / "run", "endpoint_embedding")["embedding"].null_count() == 0
    held = [path for path in (tmp_path / "run").rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    assert not held


CHILD = """
import json, os, signal, sys
from pathlib import Path
import polars as pl
from data_pipeline.attributes.kinds.endpoint_embedding import EndpointEmbedding
from utils.models.chat import paid

url, run, texts, dies = json.loads(sys.argv[1])
real, writes = paid._write_at, []


def write_half(descriptor, text, place):
    writes.append(text)
    if len(writes) == dies:
        os.pwrite(descriptor, text[: len(text) // 2], place)
        os.kill(os.getpid(), signal.SIGKILL)
    real(descriptor, text, place)


paid._write_at = write_half
messages = [[{"role": "user", "content": text}] for text in texts]
rows = pl.DataFrame({"id": [str(number) for number in range(len(texts))], "messages": messages})
kind = EndpointEmbedding(base_url=url, model="m", dimensions=2, batch_size=2)
kind.placed(Path(run)).measure(rows, {}, 1)
os.kill(os.getpid(), signal.SIGKILL)
"""


def in_child(url: str, run: Path, texts: list[str], dies: int | None = None) -> subprocess.Popen[bytes]:
    """Embed in a process that kills itself in the middle of a write, or before the commit."""
    argument = json.dumps([url, str(run), texts, dies])
    return subprocess.Popen([sys.executable, "-c", CHILD, argument], env={**os.environ, "PYTHONPATH": str(ROOT)})


def sent(server: ChatServer) -> list[str]:
    return [text for call in server.calls for text in call.body["input"]]


def test_killed_between_the_answers_and_the_commit_no_text_is_sent_twice(tmp_path: Path) -> None:
    texts = ["a", "b", "c", "a", "d", "b"]
    with chat_server(vectors((3, 4), (1, 0)), vectors((0, 1), (4, 3))) as server:
        assert in_child(server.url, tmp_path, texts).wait(60) == -signal.SIGKILL
        assert sent(server) == ["a", "b", "c", "d"]
        # another batch size and other limits ask for the same vectors
        table = (
            kind(server.url, batch_size=5, tries=2, requests_per_minute=600)
            .placed(tmp_path)
            .measure(frame(*texts), {}, 1)
        )
        assert len(server.calls) == 2
    found, _ = vectors_of(table)
    assert found == pytest.approx(np.array([[0.6, 0.8], [1, 0], [0, 1], [0.6, 0.8], [0.8, 0.6], [1, 0]]), abs=1e-3)


def test_killed_in_the_middle_of_writing_only_what_is_not_whole_is_sent_again(tmp_path: Path) -> None:
    """The cut is after the first of the batch's two lines."""
    with chat_server(*[vectors((3, 4), (1, 0))] * 2, always=vectors((0, 1))) as server:
        assert in_child(server.url, tmp_path, list("abcd"), dies=2).wait(60) == -signal.SIGKILL
        table = kind(server.url, batch_size=2).placed(tmp_path).measure(frame(*"abcd"), {}, 1)
        assert sent(server) == [*"abcd", "d"]
    assert vectors_of(table)[0] == pytest.approx(np.array([[0.6, 0.8], [1, 0], [0.6, 0.8], [0, 1]]), abs=1e-3)


def test_two_processes_with_the_same_texts_send_them_once(tmp_path: Path) -> None:
    with chat_server(always=replace(vectors((3, 4), (1, 0)), delay_s=1.0)) as server:
        children = [in_child(server.url, tmp_path, list("abcd")) for _ in range(2)]
        assert [child.wait(60) for child in children] == [-signal.SIGKILL] * 2
        assert sorted(sent(server)) == [*"abcd"]


def test_what_makes_other_vectors_is_sent_again(tmp_path: Path) -> None:
    with chat_server(always=vectors((3, 4))) as server:
        for keys in ({}, {"model": "n"}, {"shorten": True}, {"prefix": "q: "}, {"max_characters": 1}, {"timeout_s": 9}):
            kind(server.url, **keys).placed(tmp_path).measure(frame("ab"), {}, 1)
        assert len(server.calls) == 5


def test_a_raised_limit_goes_on_in_the_same_run(tmp_path: Path) -> None:
    rows = [{"instruction": f"q{n}", "input": "", "output": "a"} for n in range(3)]
    source = write_jsonl(tmp_path / "rows.jsonl", rows)
    with chat_server(vectors((1, 1)), always=Step(429, "", headers={"Retry-After": "2"})) as server:
        attribute = {"kind": "endpoint_embedding", "base_url": server.url, "model": "m", "dimensions": 2}
        keys = [f"input={source}", f"output={tmp_path / 'run'}", "executor=local"]
        keys += [f"attributes={json.dumps([attribute | {'patience_s': 1, 'batch_size': 1}])}"]
        words = [word for key in keys for word in ("--set", key)]
        assert cli.main(["attributes", "--quiet", *words]) == 75
        assert len(server.calls) == 2
        server.always = vectors((1, 1))
        more = ["--set", "attributes.0.patience_s=9", "--set", "attributes.0.tries=9"]
        assert cli.main(["attributes", "--quiet", *words, *more]) == 0
        assert len(server.calls) == 4
        assert sent(server)[1] == sent(server)[2]
