"""Judge faults over a real endpoint that misbehaves as told (F16–F18, S10, S11)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import cli
from data_pipeline.attributes.store import load_attribute
from tests.support.chat_server import ChatServer, Step, chat_server
from tests.support.tiny import write_jsonl
from utils.runs.commit import read_json

FAST = {"first_wait_s": 0.01, "longest_wait_s": 0.02, "timeout_s": 20, "tries": 3, "concurrency": 1}


def reply(text: str, first: dict[str, float] | None = None) -> Step:
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    if first:
        listed = [{"token": token, "logprob": logprob} for token, logprob in first.items()]
        choice["logprobs"] = {"content": [{"token": "x", "logprob": 0, "top_logprobs": listed}]}
    return Step(body=json.dumps({"model": "m", "choices": [choice]}))


def command(server_url: str, folder: Path, rows: int, **keys: Any) -> list[str]:
    model = {"kind": "endpoint", "base_url": server_url, "model": "m", "limits": FAST}
    attribute = {"kind": "judged", "target": "difficulty", "model": model, **keys}
    lines = [{"instruction": f"第{n}个问题是什么？", "input": "", "output": f"回答{n}"} for n in range(rows)]
    source = write_jsonl(folder / "rows.jsonl", lines)
    settings = [f"input={source}", f"output={folder / 'run'}", "executor=local", "workers=1", "attempts=1"]
    settings += [f"attributes={json.dumps([attribute])}"]
    return ["attributes", "--quiet", *(word for setting in settings for word in ("--set", setting))]


def questions(server: ChatServer) -> list[str]:
    return [call.body["messages"][-1]["content"] for call in server.calls]


def test_failures_and_garbage_never_become_a_score(tmp_path: Path) -> None:
    script = [
        Step(429, headers={"Retry-After": "0"}), reply('{"score": 4}'),  # row 0: a rate limit, then a score
        Step(500), Step(body="<html>"), reply("I would say 3"),  # row 1: an outage, no JSON, then an invalid reply
        Step(hang_up=True), reply(""),  # row 2: no connection, then empty
        reply('{"score": 2} {"score": 5}'),  # row 1 again: two objects
        reply('{"score": 3}'),  # row 2 again
    ]  # fmt: skip
    with chat_server(*script, always=Step(500)) as server:
        assert cli.main(command(server.url, tmp_path, 3)) == 0
        assert len(server.calls) == len(script)
    table = load_attribute(tmp_path / "run", "difficulty")
    assert table["score"].to_list() == [4, None, 3]
    assert table["calls"].to_list() == [1, 2, 2]
    assert table["error"].to_list() == [None, "invalid reply: more than one JSON object", None]


def test_what_has_no_answer_stays_pending_and_each_answer_is_paid_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with chat_server(reply('{"score": 1}'), reply("?"), always=Step(500)) as server:
        assert cli.main(command(server.url, tmp_path, 3)) == 75
        assert not (tmp_path / "run/manifest.json").exists()
        answered = questions(server)[:2]
        server.always = reply('{"score": 5}')
        assert cli.main(command(server.url, tmp_path, 3)) == 0
        assert [questions(server).count(question) for question in answered] == [1, 1]
    table = load_attribute(tmp_path / "run", "difficulty")
    assert table["score"].to_list() == [1, 5, 5]
    assert table["calls"].to_list() == [1, 2, 1]


def test_the_expectation_over_the_wire(tmp_path: Path) -> None:
    first = {"2": -0.6931471805599453, "4": -1.3862943611198906}  # ½ and ¼
    with chat_server(always=reply("2", first)) as server:
        assert cli.main(command(server.url, tmp_path, 1, reading="number", expected=True)) == 0
        assert server.calls[0].body["top_logprobs"] == 20
        assert "response_format" not in server.calls[0].body
    (row,) = load_attribute(tmp_path / "run", "difficulty").to_dicts()
    assert row["score"] == pytest.approx((2 * 0.5 + 4 * 0.25) / 0.75)
    assert (row["written"], row["mass"]) == (2, pytest.approx(0.75))


def test_a_schema_is_asked_for_and_data_is_not_in_the_system_role(tmp_path: Path) -> None:
    with chat_server(always=reply('{"score": 3}')) as server:
        assert cli.main(command(server.url, tmp_path, 1)) == 0
        body = server.calls[0].body
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["score"]["enum"] == [1, 2, 3, 4, 5]
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert "第0个问题" not in body["messages"][0]["content"]
    assert "第0个问题" in body["messages"][1]["content"]
    assert "回答0" not in body["messages"][1]["content"]


def test_dry_run_says_what_leaves_this_host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = command("http://127.0.0.1:9/v1", tmp_path, 1)
    assert cli.main([*here, "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["leaves_host"] == {}
    away = [word.replace("http://127.0.0.1:9/v1", "https://api.example.com/v1") for word in here]
    assert cli.main([*away, "--dry-run"]) == 2
    assert "allow_hosts" in capsys.readouterr().err
    allowed = [word.replace('"model": "m"', '"model": "m", "allow_hosts": ["api.example.com"]') for word in away]
    assert cli.main([*allowed, "--dry-run"]) == 0
    assert "https://api.example.com" in json.loads(capsys.readouterr().out)["leaves_host"]["difficulty"]


def test_the_manifest_names_judge_and_counts(tmp_path: Path) -> None:
    with chat_server(always=reply('{"score": 3}')) as server:
        assert cli.main(command(server.url, tmp_path, 2)) == 0
    manifest = read_json(tmp_path / "run/attributes/difficulty/manifest.json")
    assert manifest["parameters"]["model"]["model"] == "m"
    assert manifest["summary"] == {"scored": 2, "unscored": {}, "calls": 2}
