"""The part of `posttrain doctor` that asks what a training run needs of a machine."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from utils.runs.manifest import driver_version

Check = tuple[str, bool | None, str]
"""What, whether it passed (None: it is not on this machine, and not every run needs it), and what to do."""

_SHARED = re.compile(
    r"nfs\d?|lustre|gpfs|beegfs|ceph|cephfs|glusterfs|wekafs|9p|virtiofs|afs|pvfs2|fuse\..*|smb3?|cifs"
)
_PROBE_BYTES = 64 << 20
_SLOW_MB_S = 5
_CONNECT_S = 3.0


def training_checks(directory: Path) -> Iterator[Check]:
    """Yield the checks for training with runs in this directory."""
    yield from _compilers()
    yield from disk_speed(directory)
    yield from _gpus()
    yield interface(os.environ)
    yield from trackers(os.environ)
    yield shared(directory)


def _compilers() -> Iterator[Check]:
    if importlib.util.find_spec("deepspeed") is None:
        yield "compiler", None, "DeepSpeed is not installed"
        return
    compiler = shutil.which(os.environ.get("CXX", "c++")) or shutil.which("g++")
    ninja = shutil.which("ninja") or importlib.util.find_spec("ninja")
    missing = [name for name, found in (("a C++ compiler", compiler), ("ninja", ninja)) if not found]
    if missing:
        yield (
            "compiler",
            False,
            f"{' and '.join(missing)} missing: DeepSpeed builds its operators; apt install g++ ninja-build",
        )
    else:
        yield "compiler", True, f"{compiler} and ninja, for DeepSpeed's operators"


def disk_speed(directory: Path) -> Iterator[Check]:
    """Write and read 64 MB, flushed, past the page cache where the kernel lets us."""
    path = directory / f".doctor-{os.getpid()}"
    try:
        with path.open("wb") as stream:
            started = time.monotonic()
            for _ in range(_PROBE_BYTES >> 20):
                stream.write(b"\0" * (1 << 20))
            stream.flush()
            os.fsync(stream.fileno())
            written = time.monotonic() - started
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        started = time.monotonic()
        with path.open("rb") as stream:
            while stream.read(1 << 20):
                pass
        read = time.monotonic() - started
    except OSError as error:
        yield "disk speed", False, f"{error.strerror} at {directory}"
        return
    finally:
        path.unlink(missing_ok=True)
    for what, seconds in (("write", written), ("read", read)):
        speed = _PROBE_BYTES / 1e6 / max(seconds, 1e-6)
        yield f"disk {what}", speed >= _SLOW_MB_S, f"{speed:,.0f} MB/s: {10_000 / speed / 60:.1f} minutes for 10 GB"


def _gpus() -> Iterator[Check]:
    driver = driver_version()
    import torch

    built = torch.version.cuda
    if driver == "none":
        yield "GPU", None, f"no NVIDIA driver; torch {torch.__version__}"
    elif built is None:
        yield (
            "GPU",
            False,
            f"driver {driver}, but torch {torch.__version__} is built without CUDA: install the CUDA build",
        )
    elif not torch.cuda.is_available():
        yield "GPU", False, f"torch is built for CUDA {built}, driver {driver} does not carry it: renew the driver"
    else:
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        alike = len(set(names)) == 1
        shown = f"{len(names)} × {names[0]}" if alike else ", ".join(names)
        yield "GPU", alike, f"{shown}; driver {driver}, CUDA {built}" + ("" if alike else "; ranks need equal ones")
        yield from _nvcc(built)


def _nvcc(built: str) -> Iterator[Check]:
    """Compare the CUDA compiler with torch's CUDA: DeepSpeed's GPU operators need the same major version."""
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        yield "nvcc", None, "only DeepSpeed's fused operators need it"
        return
    said = subprocess.run([nvcc, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    found = re.search(r"release (\d+)\.(\d+)", said)
    same = found is not None and found[1] == built.partition(".")[0]
    yield "nvcc", same, f"CUDA {found[1]}.{found[2]}, torch {built}" if found else "does not say its version"


def interface(environment: os._Environ[str] | dict[str, str]) -> Check:
    """Check the network interface of NCCL and gloo: the named one, else that there is one to other machines."""
    stats = psutil.net_if_stats()
    for variable in ("NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME"):
        for name in filter(None, environment.get(variable, "").lstrip("^=").split(",")):
            known = [one for one in stats if one.startswith(name)]  # NCCL takes the beginning of a name
            if not environment[variable].startswith("^") and not any(stats[one].isup for one in known):
                state = "is down" if known else "is not here"
                return "interface", False, f"{variable}={name} {state}; there are {', '.join(stats)}"
    up = [name for name, stat in stats.items() if stat.isup and name != "lo"]
    if not up:
        return "interface", None, "only loopback: runs on this machine alone"
    try:
        address = socket.gethostbyname(socket.gethostname())
    except OSError:
        return "interface", False, "this machine's own name has no address; /etc/hosts gives it one, gloo needs it"
    alone = "; for several machines that must not be loopback" if address.startswith("127.") else ""
    return "interface", True, f"{', '.join(up)}; {socket.gethostname()} is {address}{alone}"


def trackers(environment: os._Environ[str] | dict[str, str]) -> Iterator[Check]:
    """Check that each tracker is installed, and that MLflow's server answers and can be signed in to."""
    yield _installed("tensorboard", "tensorboard")
    package = _installed("mlflow", "mlflow-skinny", "mlflow")
    if not package[1]:
        yield package
        return
    address = environment.get("MLFLOW_TRACKING_URI", "")
    server = urlsplit(address)
    if server.scheme not in {"http", "https"}:
        place = f"writes to {address}" if address else "no server named: numbers go to a folder of the run"
        yield "mlflow", True, f"{package[2]}; {place}"
        return
    port = server.port or (443 if server.scheme == "https" else 80)
    try:
        socket.create_connection((server.hostname or "", port), timeout=_CONNECT_S).close()
    except OSError as error:
        yield "mlflow", False, f"{server.hostname}:{port} does not answer ({error}); runs go on without it"
        return
    named = [name for name in ("TOKEN", "USERNAME", "PASSWORD") if environment.get(f"MLFLOW_TRACKING_{name}")]
    signed = "TOKEN" in named or {"USERNAME", "PASSWORD"} <= set(named)
    half = bool(named) and not signed
    shown = "signs in" if signed else "a user without a password, or the other way round" if half else "no credentials"
    yield "mlflow", not half, f"{server.hostname}:{port} answers; {shown}"


def _installed(what: str, *packages: str) -> Check:
    for package in packages:
        try:
            return what, True, importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return what, None, f"not installed; a run that names it in trackers needs pip install {packages[0]}"


def shared(directory: Path) -> Check:
    """Say whether other machines can see the directory, by the kind of its file system."""
    there = directory.resolve()
    mounts = [part for part in psutil.disk_partitions(all=True) if there.is_relative_to(part.mountpoint)]
    kind = max(mounts, key=lambda part: len(part.mountpoint)).fstype if mounts else "unknown"
    if _SHARED.fullmatch(kind):
        return "shared output", True, f"{kind}; a run looks at its start that all machines see it"
    return "shared output", None, f"{kind} is this machine's own: for several machines put output on a shared one"
