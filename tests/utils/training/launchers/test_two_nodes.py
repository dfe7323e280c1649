"""Two machines as network namespaces: one run over both comes to what two ranks on one machine come to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.utils.training.launchers.runs import check_equal, end_drivers, finish, start

pytestmark = pytest.mark.slow

SSH = """#!/usr/bin/env bash
# stands for ssh: the host's address is that of a namespace
while [[ $1 != -- ]]; do shift; done
[[ $2 == *.2 && -n ${DISK_OF_2-} ]] && set -- -- "$2" "mount -t tmpfs none '$DISK_OF_2' && $3"
exec ip netns exec "pt-${2##*.}-$TAG" sh -c "$3"
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=30)


@pytest.fixture
def two_hosts(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Make two namespaces joined by a cable, 10.77.0.1 and 10.77.0.2; return the environment that reaches them."""
    tag = str(os.getpid())
    names = [f"pt-{number}-{tag}" for number in (1, 2)]
    try:
        for name in names:
            ip("netns", "add", name)
        ip("link", "add", "pt0", "netns", names[0], "type", "veth", "peer", "name", "pt0", "netns", names[1])
        for number, name in enumerate(names, start=1):
            ip("-n", name, "address", "add", f"10.77.0.{number}/24", "dev", "pt0")
            for device in ("lo", "pt0"):
                ip("-n", name, "link", "set", device, "up")
        ip("netns", "exec", names[0], "true")
    except (OSError, subprocess.SubprocessError) as error:
        _remove(names)
        pytest.skip(f"no network namespaces here: {getattr(error, 'stderr', None) or error}")
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ssh").write_text(SSH)
    (folder / "ssh").chmod(0o755)
    yield {"PATH": f"{folder}:{os.environ['PATH']}", "TAG": tag}
    end_drivers()  # a namespace lives as long as a process in it, and the cable with it
    _remove(names)


def _remove(names: list[str]) -> None:
    for name in names:
        subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True, timeout=30)


@pytest.fixture
def both(tmp_path: Path) -> dict[str, Any]:
    hosts = tmp_path / "hosts"
    hosts.write_text("10.77.0.1 slots=1\n10.77.0.2 slots=1\n")
    return {"processes": 1, "hostfile": str(hosts), "interface": "pt0"}


def test_one_run_over_both(made, tmp_path, two_hosts, both):
    config = made("both", launch=both)
    finish(start(config, two_hosts), config)
    logs = tmp_path / "both" / "run" / "ranks" / "attempt-1"
    assert {"node-0.log", "node-1.log"} <= {path.name for path in logs.iterdir()}
    one = made("one")
    finish(start(one), one)
    check_equal(tmp_path / "both", tmp_path / "one")


def test_an_output_that_only_one_of_them_has(made, tmp_path, two_hosts, both):
    """The second host has a disk of its own at the output's place."""
    config = made("apart", launch=both | {"restarts": 3})
    (tmp_path / "apart").mkdir()
    said = finish(start(config, two_hosts | {"DISK_OF_2": str(tmp_path / "apart")}), config, 2)
    assert said.count("10.77.0.2 does not see the run directory") == 1
    assert "put output on a file system that all machines share" in said
