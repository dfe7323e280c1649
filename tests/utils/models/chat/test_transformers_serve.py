"""A real server that is not ours: `transformers serve` with a tiny model made on the spot."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import cli
from data_pipeline.attributes.store import load_attribute
from tests.support.tiny import write_jsonl
from utils.data.records import Message
from utils.models.chat.config import EndpointConfig
from utils.models.chat.cost import ledger
from utils.models.chat.protocol import Request, Sampling
from utils.models.generate import LocalModel

MISSING = [name for name in ("fastapi", "uvicorn", "openai") if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(MISSING), reason=f"`transformers serve` needs {', '.join(MISSING)}"),
]
TEXTS = ["Hi", "你好，请介绍一下自己。", "Name three fruits, please."]


@pytest.fixture(scope="module")
def roomy_model(tiny_model, tmp_path_factory):
    """The tiny model with room for a judge's prompt: the server does not count, our own local model does."""
    model = tmp_path_factory.mktemp("roomy") / "model"
    shutil.copytree(tiny_model, model)
    for name, key in (("config.json", "max_position_embeddings"), ("tokenizer_config.json", "model_max_length")):
        config = json.loads((model / name).read_text())
        (model / name).write_text(json.dumps(config | {key: 2048}))
    return model


@pytest.fixture(scope="module")
def served(roomy_model, tmp_path_factory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("serve") / "log.txt"
    command = [Path(sys.executable).with_name("transformers"), "serve", roomy_model, "--device", "cpu"]
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
def test_it_says_what_the_model_says_here(served, roomy_model, tmp_path, schema):
    config = EndpointConfig.model_validate(
        {"kind": "endpoint", "base_url": served, "model": str(roomy_model), "limits": {"concurrency": 2}}
    )
    requests = [Request((Message("user", text),), Sampling(max_tokens=8), schema) for text in TEXTS]
    here = LocalModel(roomy_model)
    expected = here.answer([request.messages for request in requests], max_new_tokens=8, temperature=0)
    with config.open(tmp_path) as model:
        answers = model.ask(requests)
        assert [answer.text for answer in answers] == [answer.text for answer in expected]
        assert [answer.prompt_tokens for answer in answers] == [
            len(here.template.prompt(request.messages)) for request in requests
        ]
        assert all(answer.cached for answer in model.ask(requests))


def test_its_completion_api(served, roomy_model, tmp_path):
    config = EndpointConfig.model_validate(
        {"kind": "endpoint", "base_url": served, "model": str(roomy_model), "api": "completion"}
    )
    with config.open(tmp_path) as model:
        answer = model.ask([Request((Message("user", "Two and three is"),), Sampling(max_tokens=8))])[0]
    assert answer.error is None
    assert answer.completion_tokens <= 8


RUBRIC = """---
version: 1
target: quality
lang: en
scale: [1, 5]
sees: conversation
number: One digit.
json: 'Only {"score": n}.'
---
Rate it."""


def test_a_judge_there_says_what_it_says_here(served, roomy_model, tmp_path):
    """By the command, over the network and not. The tiny model babbles: replies are invalid, asked twice, unscored."""
    (tmp_path / "rubric.md").write_text(RUBRIC)
    rows = [{"instruction": text, "input": "", "output": f"fine {number}"} for number, text in enumerate(TEXTS)]
    source = write_jsonl(tmp_path / "rows.jsonl", rows)
    there = {"kind": "endpoint", "base_url": served, "model": str(roomy_model), "limits": {"concurrency": 2}}
    tables = {}
    for name, model in (("there", there), ("here", {"kind": "local", "path": str(roomy_model)})):
        judged = {"kind": "judged", "target": "quality", "model": model, "rubrics": {"en": str(tmp_path / "rubric.md")}}
        settings = [f"input={source}", f"output={tmp_path / name}", "executor=local", "workers=1"]
        settings += [f"attributes={json.dumps([judged])}"]
        assert cli.main(["attributes", "--quiet", *(word for key in settings for word in ("--set", key))]) == 0
        tables[name] = load_attribute(tmp_path / name, "quality").to_dicts()
    assert tables["there"] == tables["here"]
    assert not [row for row in tables["there"] if (row["score"] is None) == (row["error"] is None)]
    assert sum(row["calls"] for row in tables["there"]) == sum(paid["answers"] for paid in ledger(tmp_path / "there"))
