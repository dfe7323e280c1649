"""What is started, without starting it: hosts, commands, environments, outcomes."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import posttrain_root
from tests.support.tiny import chats, write_config, write_jsonl
from utils.errors import InterruptedRunError, RetryLaterError, StageFailedError, UserError
from utils.runs.commit import replace_json
from utils.runs.config import decisive
from utils.runs.directory import Run
from utils.runs.stage import PARENT_VARIABLE, Stage
from utils.training.config import TorchrunLaunch, TrainingConfig
from utils.training.launch import join, planned_processes, rows_per_step
from utils.training.launchers.hosts import over_ssh, read_hostfile
from utils.training.launchers.supervisor import LostRanksError, outcome
from utils.training.launchers.torchrun import nodes, rank_environment

NODE = posttrain_root.ROOT / "utils" / "training" / "launchers" / "node.py"


def hostfile(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "hosts"
    path.write_text(text)
    return path


def config(**launch) -> TrainingConfig:
    keys = {"output": "o", "model": "m", "learning_rate": 1, "batch_size": 2, "gradient_accumulation": 3}
    return TrainingConfig.model_validate({**keys, "launch": launch} if launch else keys)


def test_a_hostfile(tmp_path):
    path = hostfile(tmp_path, "# ours\nnode-a slots=8\n\n10.0.0.2  # the other\n")
    assert read_hostfile(path, 8) == ["node-a", "10.0.0.2"]
    asked = config(kind="torchrun", processes=8, hostfile=path)
    assert planned_processes(asked) == 16
    assert rows_per_step(asked) == 2 * 3 * 16


@pytest.mark.parametrize(
    "line",
    [
        "a;touch X",
        "$(touch X)",
        "`touch`",
        "-oProxyCommand=x",
        "a b",
        "a slots=x",
        "a slots=4",
        "",
        "a slots=8\na",
        "a/b",
    ],
)
def test_a_hostfile_with_something_else_in_it(tmp_path, line):
    with pytest.raises(UserError, match="hosts"):
        read_hostfile(hostfile(tmp_path, line), 8)
    with pytest.raises(UserError, match="cannot read"):
        read_hostfile(tmp_path / "none", 8)


def test_ssh_gets_one_quoted_word_and_no_secret(tmp_path, monkeypatch):
    folder = tmp_path / "it's; $(touch X)"
    folder.mkdir()
    monkeypatch.chdir(folder)
    environment = {
        "OMP_NUM_THREADS": "1",
        "NCCL_DEBUG": "a b",
        "HF_TOKEN": "hidden",
        "AWS_SECRET": "hidden",
        "HOME": "/",
    }
    command = over_ssh("node-a", ["python", "-c", "print('$HOME')"], environment)
    assert command[:2] == ["ssh", "-o"] and command[-3:-1] == ["--", "node-a"]
    assert "hidden" not in command[-1]
    expected = ["env", "-C", str(folder), "NCCL_DEBUG=a b", "OMP_NUM_THREADS=1", "python", "-c", "print('$HOME')"]
    assert shlex.split(command[-1]) == expected
    done = subprocess.run(["sh", "-c", command[-1].replace("python", sys.executable)], capture_output=True, text=True)
    assert done.stdout == "$HOME\n"
    assert not list(tmp_path.rglob("X"))


def test_what_torchrun_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv(PARENT_VARIABLE, "1")
    path = hostfile(tmp_path, "a\nb\n")
    launch = TorchrunLaunch(kind="torchrun", processes=4, hostfile=path, interface="ib0")
    one, other = nodes("postraining_sft.train", tmp_path / "out", launch, tmp_path / "f")
    words = shlex.split(other.command[-1])
    for option, value in {"--node-rank": "1", "--nnodes": "2", "--nproc-per-node": "4", "--master-addr": "a"}.items():
        assert words[words.index(option) + 1] == value
    assert words[words.index("--max-restarts") + 1] == "0"
    assert {"GLOO_SOCKET_IFNAME=ib0", "NCCL_SOCKET_IFNAME=ib0", f"POSTTRAIN_ATTEMPT={tmp_path / 'f'}"} <= set(words)
    assert not any(PARENT_VARIABLE in word for word in words)
    assert words[-2:] == ["--config", str(tmp_path / "out" / "run" / "config.json")]
    assert (one.host, other.host) == ("a", "b")
    assert words[words.index("-P") + 2 :][:2] == ["130", str(tmp_path / "f")]  # node.py: patience, folder
    ports = {shlex.split(node.command[-1])[words.index("--master-port") + 1] for node in (one, other)}
    assert len(ports) == 1
    assert rank_environment(tmp_path, None)["PYTHONPATH"].split(os.pathsep)[0] == str(posttrain_root.ROOT)


def test_the_launcher_is_no_part_of_what_is_made():
    one, other = config(), config(kind="torchrun", processes=2)
    assert one.launch != other.launch
    assert decisive(one) == decisive(other)


@pytest.fixture
def finished(tmp_path):
    """An attempt of two ranks with the given reports."""

    def make(*reports: dict | None) -> tuple[Run, Path]:
        for rank, report in enumerate(reports):
            if report is not None:
                replace_json(tmp_path / f"rank-{rank}.json", report)
        return Run(config(), "sft", quiet=True), tmp_path

    return make


def test_an_outcome_is_what_the_ranks_report(finished):
    done = ({"code": 0, "counts": {"in": 1}}, {"code": 0, "counts": None})
    run, folder = finished(*done)
    assert outcome(run, folder, 2, [0]) == {"in": 1}
    with pytest.raises(LostRanksError, match="the launcher ended with"):
        outcome(run, folder, 2, [1])


@pytest.mark.parametrize(("code", "kind"), [(2, UserError), (75, RetryLaterError), (1, StageFailedError)])
def test_an_error_of_ours_ends_the_run_whatever_else_happened(finished, code, kind):
    run, folder = finished(None, {"code": code, "error": {"what": "this", "where": "there", "mend": "so"}})
    with pytest.raises(kind, match="there: this → so"):
        outcome(run, folder, 2, [1])


def test_lost_ranks_are_named(finished):
    run, folder = finished(None, {"code": 1, "defect": "RuntimeError: closed by peer"})
    with pytest.raises(LostRanksError, match="rank 0 ended without a word; rank 1 RuntimeError: closed by peer"):
        outcome(run, folder, 2, [1])
    stopped = {"code": 143, "error": {"what": "x", "where": None, "mend": None}}
    run, folder = finished(stopped, {"code": 1, "defect": "y"})
    with pytest.raises(LostRanksError):  # struck by torchrun because of the other, not by the user
        outcome(run, folder, 2, [1])
    run.stop.requested, run.stop.signum = True, signal.SIGINT
    with pytest.raises(InterruptedRunError) as raised:
        outcome(run, folder, 2, [1])
    assert raised.value.exit_code == 130


def test_a_wrong_number_of_ranks_is_refused(monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "3")
    asked = config(kind="torchrun", processes=2)
    with pytest.raises(UserError, match="3 processes were started, launch asks for 2"):
        join(Stage("sft", "", "postraining_sft.train"), Run(asked, "sft", quiet=True), asked)
    assert os.environ["RANK"] == "0"


def test_a_node_ends_with_its_driver(tmp_path):
    """Whoever holds the other end of stdin goes: the command is asked, then struck, with all its children."""
    stubborn = "import signal,subprocess,sys,time; signal.signal(15, signal.SIG_IGN); "
    stubborn += f"subprocess.Popen(['sleep', '300']); open({str(tmp_path / 'up')!r}, 'w').close(); time.sleep(300)"
    command = [sys.executable, str(NODE), "1", str(tmp_path), sys.executable, "-c", stubborn]
    node = subprocess.Popen(command, stdin=subprocess.PIPE)
    until = time.monotonic() + 60
    while not (tmp_path / "up").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    family = psutil.Process(node.pid).children(recursive=True)
    assert len(family) == 2
    node.stdin.close()
    assert node.wait(timeout=60) == 128 + signal.SIGKILL
    assert not psutil.wait_procs(family, timeout=30)[1]


def test_a_node_hands_on_the_exit_code(tmp_path):
    for code in (0, 3):
        command = [sys.executable, str(NODE), "1", str(tmp_path), sys.executable, "-c", f"import sys; sys.exit({code})"]
        node = subprocess.Popen(command, stdin=subprocess.PIPE)
        assert node.wait(timeout=60) == code


@pytest.mark.parametrize("kind", ["local", "torchrun", "ray", "slurm"])
def test_a_dry_run_says_commands_processes_steps_and_memory(tiny_model, tmp_path, capsys, kind):
    import cli

    launch = {"kind": kind} if kind == "local" else {"kind": kind, "processes": 2}
    data = write_jsonl(tmp_path / "chats.jsonl", chats())
    keys = {"model": tiny_model, "data": [data], "output": tmp_path / "out", "batch_size": 2, "launch": launch}
    assert cli.main(["sft", "--config", str(write_config(tmp_path / "c.yaml", keys)), "--dry-run"]) == 0
    said = json.loads(capsys.readouterr().out)
    processes = 1 if kind == "local" else 2
    assert said["launch"]["processes"] == processes
    assert said["steps"] == -(-14 // (2 * processes))
    assert said["tokens"] > 14
    (command,) = said["launch"]["commands"]
    assert {"torchrun": "torch.distributed.run", "slurm": "sbatch"}.get(kind, "-m postraining_sft.train") in command
    assert said["memory"]["per_gpu_gib"]["total"] > 0
    assert not (tmp_path / "out").exists()
