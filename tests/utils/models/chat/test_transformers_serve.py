"""A real server that is not ours: `transformers serve` with a tiny model made on the spot."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from utils.data.records import Message
from utils.models.chat.config import EndpointConfig
from utils.models.chat.protocol import Request, Sampling
from utils.models.generate import LocalModel

MISSING = [name for name in ("fastapi", "uvicorn", "openai") if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(MISSING), reason=f"`transformers serve` needs {', '.join(MISSING)}"),
]
TEXTS = ["Hi", "你好，请介绍一下自己。", "Name three fruits, please."]


@pytest.fixture(scope="module")
def served(tiny_model, tmp_path_factory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("serve") / "log.txt"
    command = [Path(sys.executable).with_name("transformers"), "serve", tiny_model, "--device", "cpu"]
    with log.open("wb") as stream:
        server = subprocess.Popen(
            [*map(str, command), "--host", "127.0.0.1", "--port", str(port)],
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            stdout=stream,
            stderr=stream,
        )
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}/health", server, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(30)


def wait_until_healthy(url, server, log, seconds=240):
    limit = time.monotonic() + seconds
    while True:
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < limit, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310
                if response.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)


@pytest.mark.parametrize("schema", [None, {"type": "object"}])
def test_it_says_what_the_model_says_here(served, tiny_model, tmp_path, schema):
    config = EndpointConfig.model_validate(
        {"kind": "endpoint", "base_url": served, "model": str(tiny_model), "limits": {"concurrency": 2}}
    )
    requests = [Request((Message("user", text),), Sampling(max_tokens=8), schema) for text in TEXTS]
    here = LocalModel(tiny_model)
    expected = here.answer([request.messages for request in requests], max_new_tokens=8, temperature=0)
    with config.open(tmp_path) as model:
        answers = model.ask(requests)
        assert [answer.text for answer in answers] == [answer.text for answer in expected]
        assert [answer.prompt_tokens for answer in answers] == [
            len(here.template.prompt(request.messages)) for request in requests
        ]
        assert all(answer.cached for answer in model.ask(requests))


def test_its_completion_api(served, tiny_model, tmp_path):
    config = EndpointConfig.model_validate(
        {"kind": "endpoint", "base_url": served, "model": str(tiny_model), "api": "completion"}
    )
    with config.open(tmp_path) as model:
        answer = model.ask([Request((Message("user", "Two and three is"),), Sampling(max_tokens=8))])[0]
    assert answer.error is None
    assert answer.completion_tokens <= 8
