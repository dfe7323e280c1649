"""The file that names the machines, and how a command reaches one of them."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from utils.errors import UserError
from utils.runs.commit import check_name

_CARRIED = re.compile(r"(OMP|MKL|NCCL|GLOO|TORCH|CUDA|DS|HF_HUB|TOKENIZERS|POSTTRAIN|PYTHON(PATH|HASHSEED))(_\w+)?")
"""Variables that go along to another machine. No name of a secret begins like that: HF_TOKEN does not."""


def read_hostfile(path: Path, processes: int) -> list[str]:
    """Return the hosts of a file with lines of `host slots=N`, as DeepSpeed and MPI read it.

    Args:
        path: the file; `#` begins a comment.
        processes: how many each host has to carry.

    Raises:
        UserError: no such file, a line that is none, a host twice or with too few slots.

    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UserError(f"cannot read the hostfile: {error.strerror}", where=str(path)) from error
    hosts: list[str] = []
    for number, line in enumerate(lines, start=1):
        words = line.partition("#")[0].split()
        if words:
            hosts.append(_host(words, processes, where=f"{path}:{number}"))
            if hosts.count(hosts[-1]) > 1:
                raise UserError(f"host {hosts[-1]} is there twice", where=f"{path}:{number}")
    if not hosts:
        raise UserError("the hostfile names no host", where=str(path), mend="one line for each: host slots=8")
    return hosts


def _host(words: list[str], processes: int, *, where: str) -> str:
    host = check_name(words[0], where=where)
    if host.startswith("-"):
        raise UserError(f"the name {host!r} would be an option of ssh", where=where)
    for word in words[1:]:
        slots = re.fullmatch(r"slots=(\d{1,4})", word)
        if slots is None:
            raise UserError(f"{word!r} is not slots=N", where=where)
        if int(slots[1]) < processes:
            raise UserError(f"{host} has {slots[1]} slots for launch.processes: {processes}", where=where)
    return host


def over_ssh(host: str, command: list[str], environment: dict[str, str]) -> list[str]:
    """Return the argument list that runs a command on another host; the remote shell gets it quoted."""
    carried = [f"{name}={value}" for name, value in sorted(environment.items()) if _CARRIED.fullmatch(name)]
    remote = shlex.join(["env", "-C", os.getcwd(), *carried, *command])
    return ["ssh", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=15", "-T", "--", host, remote]
