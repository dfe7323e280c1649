"""What `posttrain doctor` finds out about a machine, and what it says to do."""

from __future__ import annotations

import json
import socket
from collections import namedtuple

import psutil
import pytest

import cli
from utils.runs import doctor_training
from utils.runs.doctor import checks
from utils.runs.doctor_training import disk_speed, interface, shared, trackers

Up = namedtuple("Up", "isup")
Mount = namedtuple("Mount", "mountpoint fstype")


def test_every_line_says_something_and_nothing_is_left(tmp_path):
    found = {what: (fine, text) for what, fine, text in checks(tmp_path)}
    asked = {"compiler", "disk write", "disk read", "GPU", "interface", "tensorboard", "mlflow", "shared output"}
    assert asked | {"disk", "open files", "shared memory", "run directories"} <= found.keys()
    assert all(text for _, text in found.values())
    assert not list(tmp_path.iterdir())


def test_what_is_not_here_is_no_failure(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("utils.runs.doctor.checks", lambda _: iter([("a", True, "x"), ("b", None, "y")]))
    assert cli.main(["doctor", str(tmp_path), "--json"]) == 0
    assert [row["ok"] for row in json.loads(capsys.readouterr().out)] == ["ok", "not here"]
    monkeypatch.setattr("utils.runs.doctor.checks", lambda _: iter([("a", False, "x"), ("b", None, "y")]))
    assert cli.main(["doctor", str(tmp_path)]) == 1
    assert "FAIL" in capsys.readouterr().out


def test_a_compiler_that_is_missing(monkeypatch):
    monkeypatch.setattr(doctor_training.shutil, "which", lambda _: None)
    monkeypatch.setattr(doctor_training.importlib.util, "find_spec", lambda name: name == "deepspeed" or None)
    ((_, fine, text),) = doctor_training._compilers()
    assert fine is False
    assert "a C++ compiler and ninja missing" in text and "apt install" in text


def test_a_slow_disk(tmp_path, monkeypatch):
    clock = iter([0.0, 20.0, 30.0, 30.5])
    monkeypatch.setattr(doctor_training.time, "monotonic", lambda: next(clock))
    (_, written, slow), (_, read, fast) = disk_speed(tmp_path)
    assert (written, read) == (False, True)
    assert slow == "3 MB/s: 49.7 minutes for 10 GB"
    assert fast == "134 MB/s: 1.2 minutes for 10 GB"
    assert [fine for _, fine, _ in disk_speed(tmp_path / "none")] == [False]


@pytest.mark.parametrize(
    ("named", "fine"), [({}, True), ({"NCCL_SOCKET_IFNAME": "eth"}, True), ({"NCCL_SOCKET_IFNAME": "ib0"}, False)]
)
def test_the_interface(monkeypatch, named, fine):
    monkeypatch.setattr(psutil, "net_if_stats", lambda: {"lo": Up(True), "eth0": Up(True), "eth1": Up(False)})
    monkeypatch.setattr(socket, "gethostbyname", lambda _: "10.0.0.1")
    assert interface(named)[1] is fine
    assert interface({"GLOO_SOCKET_IFNAME": "eth1"})[1:] == (
        False,
        "GLOO_SOCKET_IFNAME=eth1 is down; there are lo, eth0, eth1",
    )
    monkeypatch.setattr(psutil, "net_if_stats", lambda: {"lo": Up(True)})
    assert interface({})[1] is None


def test_mlflows_server_and_credentials(monkeypatch):
    monkeypatch.setattr(doctor_training.importlib.metadata, "version", lambda _: "1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{server.getsockname()[1]}"}
        assert list(trackers(address))[1][1:] == (True, f"{address['MLFLOW_TRACKING_URI'][7:]} answers; no credentials")
        half = address | {"MLFLOW_TRACKING_USERNAME": "me"}
        assert list(trackers(half))[1][1] is False
        whole = list(trackers(half | {"MLFLOW_TRACKING_PASSWORD": "hidden-word"}))[1]
        assert whole[1] is True and "hidden-word" not in whole[2]
    assert "does not answer" in list(trackers(address))[1][2]


@pytest.mark.parametrize(("kind", "fine"), [("nfs4", True), ("lustre", True), ("fuse.sshfs", True), ("ext4", None)])
def test_a_shared_output(tmp_path, monkeypatch, kind, fine):
    mounts = [Mount("/", "overlay"), Mount(str(tmp_path), kind)]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: mounts)
    assert shared(tmp_path)[1] is fine
    assert kind in shared(tmp_path)[2]
