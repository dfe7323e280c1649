"""What a user is told when ranks cannot start or do not last; the processes are stand-ins."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from pathlib import Path

import pytest

from utils.errors import StageFailedError, UserError
from utils.runs.directory import Run
from utils.runs.logs import open_log
from utils.training.config import TorchrunLaunch, TrainingConfig
from utils.training.launchers import node, ray, supervisor, torchrun
from utils.training.launchers.supervisor import Echo, Node, supervise


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(supervisor, "_AGAIN_S", 0)


@pytest.fixture
def run(tmp_path) -> Run:
    run = Run(TrainingConfig(output=tmp_path / "out", model="m", learning_rate=1), "sft")
    run.log = open_log("sft", run.inner / "log.txt")
    return run


def shell(script: str, name: str = "node-0", host: str = "here") -> Node:
    return Node(name, host, ["sh", "-c", script], dict(os.environ))


def test_restarts_are_bounded_and_the_last_words_are_told(run):
    refused = "echo; echo 'ssh: connect to host a port 22: Connection refused' >&2; echo ====; exit 255"
    with pytest.raises(StageFailedError) as raised:
        supervise(run, 2, 2, lambda folder: [shell(refused)])
    told = "attempt-3: ranks 0, 1 ended without a word; node-0: ssh: connect to host a port 22: Connection refused"
    assert told in str(raised.value)
    assert len(list((run.inner / "ranks").iterdir())) == 3
    assert (run.inner / "log.txt").read_text().count("all start again") == 2


def test_a_second_attempt_may_do_it(run, tmp_path):
    report = json.dumps({"code": 0, "counts": {"in": 5}})

    def nodes(folder: Path) -> list[Node]:
        once = tmp_path / "once"
        return [shell(f"[ -e {once} ] && echo '{report}' > {folder}/rank-0.json || {{ touch {once}; kill -9 $$; }}")]

    assert supervise(run, 1, 1, nodes) == {"in": 5}


def test_one_lost_node_ends_the_others(run):
    def nodes(folder: Path) -> list[Node]:
        keeper = [sys.executable, node.__file__, "1", str(folder), "sleep", "300"]
        return [Node("node-0", "a", keeper, dict(os.environ)), shell("exit 1", "node-1", "b")]

    began = time.monotonic()
    with pytest.raises(StageFailedError):
        supervise(run, 2, 0, nodes)
    assert time.monotonic() - began < 60


def test_a_machine_without_the_run_directory(run, tmp_path, monkeypatch):
    """F21: at the start, and not with the first checkpoint; no other try would help."""
    monkeypatch.setattr(node, "_SEEN_WITHIN_S", 0.3)
    assert node.main(1, tmp_path / "not there", ["false"]) == node.NOT_SHARED
    with pytest.raises(UserError, match="b does not see the run directory → put output on a file system"):
        supervise(run, 2, 3, lambda folder: [shell("sleep 1"), shell(f"exit {node.NOT_SHARED}", "node-1", "b")])
    assert len(list((run.inner / "ranks").iterdir())) == 1


def test_a_machine_of_rays_without_the_run_directory(tmp_path):
    task = {"module": "m", "config": "c", "attempt": str(tmp_path / "not there"), "cwd": str(tmp_path)}
    with pytest.raises(RuntimeError, match="put output where all machines see it"):
        ray.rank_work(task)


def test_no_ssh_here(run):
    with pytest.raises(UserError, match="there is no no-such-ssh here"):
        supervise(run, 1, 3, lambda folder: [Node("node-0", "a", ["no-such-ssh"], {})])


def test_a_port_that_is_taken(run):
    with socket.create_server(("", 0)) as server:
        launch = TorchrunLaunch(kind="torchrun", port=server.getsockname()[1])
        with pytest.raises(UserError, match=r"launch\.port: port \d+ is taken on this machine → leave it out"):
            torchrun.start("m", run, run.config, launch)
    assert not (run.inner / "ranks").exists()


@pytest.mark.parametrize("quiet", [False, True])
def test_only_the_log_of_the_run_is_shown(tmp_path, capsys, quiet):
    run = Run(TrainingConfig(output=tmp_path, model="m", learning_rate=1), "sft", quiet=quiet)
    run.inner.mkdir()
    log = run.inner / "log.txt"
    log.write_text("2026 posttrain.sft INFO before\n")
    echo = Echo(run)
    with log.open("a") as stream:
        stream.write("2026 posttrain.sft INFO 第一步\n2026 posttrain.sft WARNING look out\n2026 half a li")
    echo.show()
    seen = capsys.readouterr().err
    assert ("第一步" in seen) is not quiet
    assert "look out" in seen and "before" not in seen and "half" not in seen
    with log.open("a") as stream:
        stream.write("ne\n")
    echo.show()
    assert "half a line" in capsys.readouterr().err
