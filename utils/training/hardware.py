"""What the machine did while it trained: each GPU by NVML where nvidia-ml-py is installed, else processor and memory.

A thread takes a sample every few seconds and appends it to `run/hardware/<host>.jsonl`; one rank of each host does.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from utils.runs.directory import Run

Sample = dict[str, Any]
SECONDS = 5.0
_GB = 1e9


def nvml() -> Callable[[], list[Sample]] | None:
    """Return what reads each GPU: use (0–1), memory (GB), power (W) and temperature (°C); None without NVML."""
    try:
        import pynvml

        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
    except Exception:
        return None
    if not handles:
        return None

    def read() -> list[Sample]:
        return [_gpu(pynvml, handle) for handle in handles]

    return read


def _gpu(pynvml: Any, handle: Any) -> Sample:
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    sample: Sample = {
        "use": pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100,
        "memory_gb": memory.used / _GB,
        "memory_of_gb": memory.total / _GB,
    }
    for name, ask in (
        ("power_w", lambda: pynvml.nvmlDeviceGetPowerUsage(handle) / 1000),
        ("celsius", lambda: pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)),
    ):
        try:
            sample[name] = ask()
        except Exception:  # noqa: S112  a part of a GPU cannot say it
            continue
    return sample


def host() -> Sample:
    """Return the use of all cores together (0–1) and the memory in use (GB)."""
    memory = psutil.virtual_memory()
    return {
        "cpu": psutil.cpu_percent() / 100,
        "memory_gb": (memory.total - memory.available) / _GB,
        "memory_of_gb": memory.total / _GB,
    }


@contextmanager
def sampled(run: Run, *, seconds: float = SECONDS) -> Iterator[None]:
    """Take samples while the block runs; a failure to do so is no failure of the run."""
    if int(os.environ.get("LOCAL_RANK") or 0) != 0:
        yield
        return
    path = run.inner / "hardware" / f"{socket.gethostname()}.jsonl"
    over = threading.Event()
    thread = threading.Thread(target=_sample, args=(path, over, seconds), name="hardware", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(2.0)


def _sample(path: Path, over: threading.Event, seconds: float) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        read = nvml()
        psutil.cpu_percent()  # the first call only begins to count
        wait = min(1.0, seconds)  # a short run has a few samples too
        while not over.wait(wait):
            sample = {"time": round(time.time(), 1), "host": host(), **({"gpus": read()} if read else {})}
            with path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(sample) + "\n")
            wait = min(seconds, wait * 1.2)
    except Exception:
        return


def read_samples(run: Path) -> dict[str, list[Sample]]:
    """Return the samples of each host, in the order of time; a line that a crash cut short is left out."""
    found: dict[str, list[Sample]] = {}
    for path in sorted((run / "run" / "hardware").glob("*.jsonl")):
        samples = []
        for line in path.read_text(encoding="utf-8").split("\n"):
            try:
                samples.append(json.loads(line))
            except ValueError:
                continue
        found[path.stem] = samples
    return found
