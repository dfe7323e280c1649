"""Before any work: every rank says what it is, and a difference stops all of them (lesson 22).

Ranks that differ in code, a library or the config train, and give a model that nobody can explain. What travels is
JSON in byte tensors; `all_gather_object` would unpickle what another machine sends (S1).
"""

from __future__ import annotations

import json
import platform
import socket
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.errors import UserError
from utils.runs.config import decisive
from utils.runs.manifest import code_files, digest, driver_version, versions
from utils.training.config import TrainingConfig
from utils.training.launch import rank

if TYPE_CHECKING:
    from utils.runs.directory import Run

_SEEN_WITHIN_S = 15.0
"""A network file system may keep saying for some seconds that a new file is not there."""


def agree(run: Run, config: TrainingConfig, module: str) -> None:
    """Compare all ranks, and look whether they see the same run directory (F21).

    Every rank has to call this, in an initialised process group. It writes one file, which is gone afterwards.

    Raises:
        UserError: on every rank alike, naming ranks, hosts and values.

    """
    token = run.inner / f"shared.tmp.{run.token}.0"  # a name that the next start removes, if a kill leaves it
    if rank() == 0:
        token.write_text(run.token, encoding="ascii")
    try:
        said = [json.loads(text) for text in gather(json.dumps(_said(config, module, token)).encode())]
        hosts = [one["host"] for one in said]
        seen = [text == b"1" for text in gather(b"1" if _appears(token, said[0]) else b"0")]
    finally:
        if rank() == 0:
            token.unlink(missing_ok=True)
    if found := differences([one["facts"] for one in said], hosts):
        raise UserError(f"the ranks differ: {found}", mend="make the machines equal: one checkout, one environment")
    if not all(seen):
        blind = _ranks([number for number, sees in enumerate(seen) if not sees], hosts)
        raise UserError(
            f"{blind} do not see the run directory of rank 0 ({hosts[0]})",
            where=str(run.path.absolute()),
            mend="put output on a file system that all machines share",
        )


def _said(config: TrainingConfig, module: str, token: Path) -> dict[str, Any]:
    return {"facts": facts(config, module), "host": socket.gethostname(), "name": token.name, "token": token.stem}


def _appears(mine: Path, leader: dict[str, Any]) -> bool:
    """Look for the leader's file in this rank's own run directory."""
    until = time.monotonic() + _SEEN_WITHIN_S
    path = mine.with_name(leader["name"])
    while not path.exists():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
        list(path.parent.iterdir()) if path.parent.is_dir() else None  # makes NFS look again
    return True


def facts(config: TrainingConfig, module: str) -> dict[str, str]:
    """Return what must be the same on every rank, by name."""
    import torch

    from utils.models.locate import work_offline

    work_offline()
    on_gpu = torch.cuda.is_available()
    return {
        "code": digest(code_files(module)),
        **versions(),
        "system": f"{platform.system()} {platform.machine()}",
        "CUDA": str(torch.version.cuda),
        "driver": driver_version() if on_gpu else "none",
        "device": torch.cuda.get_device_name() if on_gpu else "cpu",
        "precision": config.precision,
        "seed": str(config.seed),
        "config": digest(decisive(config)),
        "output": str(config.output),
        "threads": str(torch.get_num_threads()),
    }


def differences(said: list[dict[str, str]], hosts: list[str]) -> str:
    """Say where ranks differ, `torch: 2.13.0 on ranks 0, 1 (a), 2.12.1 on rank 2 (b)`; empty when they agree."""
    names = dict.fromkeys(name for facts_of_one in said for name in facts_of_one)
    found = []
    for name in names:
        having: defaultdict[str, list[int]] = defaultdict(list)
        for number, facts_of_one in enumerate(said):
            having[facts_of_one.get(name, "not there")].append(number)
        if len(having) > 1:
            values = (f"{value[:60]} on {_ranks(numbers, hosts)}" for value, numbers in having.items())
            found.append(f"{name}: {', '.join(values)}")
    return "; ".join(found)


def _ranks(numbers: list[int], hosts: list[str]) -> str:
    """Return `rank 3 (host)`, `ranks 0, 1, 2 (a, b)`; long lists are cut."""
    shown = ", ".join(map(str, numbers[:8])) + (" …" if len(numbers) > 8 else "")
    where = ", ".join(list(dict.fromkeys(hosts[number] for number in numbers))[:4])
    return f"rank{'s' if len(numbers) > 1 else ''} {shown} ({where})"


def gather(data: bytes) -> list[bytes]:
    """Return every rank's bytes (one at least), by rank; all ranks call it."""
    import torch
    from torch import distributed

    on_gpu = distributed.get_backend() == "nccl"
    device = torch.device("cuda" if on_gpu else "cpu")
    sizes = [torch.zeros(1, dtype=torch.int64, device=device) for _ in range(distributed.get_world_size())]
    distributed.all_gather(sizes, torch.tensor([len(data)], dtype=torch.int64, device=device))
    lengths = [int(size.item()) for size in sizes]
    padded = torch.zeros(max(lengths), dtype=torch.uint8, device=device)
    padded[: len(data)] = torch.frombuffer(bytearray(data), dtype=torch.uint8).to(device)
    parts = [torch.zeros_like(padded) for _ in lengths]
    distributed.all_gather(parts, padded)
    return [bytes(part[:length].cpu().numpy().tobytes()) for part, length in zip(parts, lengths, strict=True)]
