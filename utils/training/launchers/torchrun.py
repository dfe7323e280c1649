"""Ranks by torchrun, one per host, on this machine or on those of a hostfile."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import posttrain_root
from utils.errors import UserError
from utils.runs.stage import ATTEMPT_VARIABLE, PARENT_VARIABLE
from utils.training.config import TorchrunLaunch, TrainingConfig
from utils.training.launch import planned_processes
from utils.training.launchers.hosts import over_ssh, read_hostfile
from utils.training.launchers.supervisor import Node, supervise

if TYPE_CHECKING:
    from utils.runs.directory import Run

_GRACE_S = 120
"""From SIGTERM to SIGKILL: time to finish a step and write a checkpoint."""


def start(module: str, run: Run, config: TrainingConfig, launch: TorchrunLaunch) -> dict[str, Any]:
    """Train; return the counts of rank 0.

    Raises:
        PosttrainError: what a rank reported; ranks were lost more often than `restarts`; the port is taken.

    """
    if launch.port and not launch.hostfile and not _is_free(launch.port):
        mend = "leave it out: a free one is found"
        raise UserError(f"port {launch.port} is taken on this machine", where="launch.port", mend=mend)
    return supervise(
        run,
        planned_processes(config.model_copy(update={"launch": launch})),
        launch.restarts,
        lambda folder: nodes(module, run.path, launch, folder),
    )


def nodes(module: str, output: Path, launch: TorchrunLaunch, folder: Path) -> list[Node]:
    """Return what to start on each host for one attempt, on a port of its own."""
    hosts = read_hostfile(launch.hostfile, launch.processes) if launch.hostfile else []
    port = launch.port or (_any_port() if hosts else _free_port())
    environment = rank_environment(folder, launch.interface)
    started = []
    for number, host in enumerate(hosts or ["localhost"]):
        torchrun = [
            *(sys.executable, "-P", "-m", "torch.distributed.run"),
            *("--nnodes", str(len(hosts) or 1), "--node-rank", str(number)),
            *("--nproc-per-node", str(launch.processes)),
            *("--master-addr", hosts[0] if hosts else "127.0.0.1", "--master-port", str(port)),
            *("--max-restarts", "0", "--shutdown-timeout", str(_GRACE_S)),
            *("-m", module, "--config", str((output / "run" / "config.json").absolute())),
        ]
        keeper = Path(__file__).with_name("node.py")
        command = [sys.executable, "-P", str(keeper), str(_GRACE_S + 10), str(folder), *torchrun]
        if hosts:
            command = over_ssh(host, command, environment)
        started.append(Node(f"node-{number}", host, command, environment))
    return started


def rank_environment(folder: Path, interface: str | None) -> dict[str, str]:
    """Return the environment of the ranks of one attempt."""
    environment = {**os.environ, ATTEMPT_VARIABLE: str(folder), "PYTHONPATH": _python_path()}
    environment.setdefault("OMP_NUM_THREADS", "1")  # as torchrun does, but without its warning
    environment.pop(PARENT_VARIABLE, None)  # the driver follows its parent; a rank's parent is torchrun
    if interface:
        environment |= {"NCCL_SOCKET_IFNAME": interface, "GLOO_SOCKET_IFNAME": interface}
    return environment


def _python_path() -> str:
    """Put our folder where a rank finds `postraining_sft`, whatever folder it starts in."""
    return os.pathsep.join([str(posttrain_root.ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as torchrun does, just after a run on it
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def _any_port() -> int:
    """Return a port below those that systems give away by themselves; of another host nobody here knows more."""
    return 20000 + secrets.randbelow(12000)
