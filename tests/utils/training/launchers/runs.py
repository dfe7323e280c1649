"""What the tests of real ranks share: a config for two of them, the driver as a process, its ranks, what is left."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from tests.support.tiny import ROOT, chats, child_environment, read_jsonl, write_config, write_jsonl

STARTED: list[subprocess.Popen] = []
"""Drivers of the test that runs."""
STEPS = 20


def make(tiny_model: Path, folder: Path, name: str, *, launch: dict[str, Any] | None = None, **more: Any) -> Path:
    """Write a config for two ranks: 26 rows, 4 per step, so seven steps an epoch, and a checkpoint at every third."""
    config = {
        "model": tiny_model,
        "data": [write_jsonl(folder / "chats.jsonl", chats(26))],
        "output": folder / name,
        "max_steps": STEPS,
        "batch_size": 2,
        "learning_rate": 2e-3,
        "save_steps": 3,
        "max_length": 128,
        **more,
        "launch": {"kind": "torchrun", "processes": 2, **(launch or {})},
    }
    return write_config(folder / f"{name}.yaml", config)


def start(config: Path, environment: dict[str, str] | None = None) -> subprocess.Popen:
    """Start the driver; what it says goes to `<config>.err`."""
    variables = child_environment() | {"OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"} | (environment or {})
    with config.with_suffix(".err").open("ab") as log, config.with_suffix(".out").open("ab") as out:
        command = [sys.executable, "-P", str(ROOT / "posttrain.py"), "sft", "--config", str(config)]
        STARTED.append(
            subprocess.Popen(command, env=variables, cwd=config.parent, stdout=out, stderr=log, start_new_session=True)
        )
    return STARTED[-1]


def finish(driver: subprocess.Popen, config: Path, code: int = 0) -> str:
    """Wait for the driver; return what it said. Nothing that it started may live on."""
    ended = driver.wait(timeout=400)
    said = config.with_suffix(".err").read_text()
    assert ended == code, said[-3000:]
    assert not config.with_suffix(".out").read_text()  # stdout is for --json
    assert not left(config.with_suffix(""))
    return said


def left(run: Path, patience_s: float = 60) -> list[psutil.Process]:
    """What lives in the process groups that the last driver of a run recorded, after some patience."""
    recorded = json.loads((run / "run" / "processes.json").read_text())["processes"]
    groups = {entry["pgid"] for entry in recorded} - {os.getpgid(0)}
    until = time.monotonic() + patience_s
    while (alive := [process for process in psutil.process_iter() if _group(process) in groups]) and (
        time.monotonic() < until
    ):
        time.sleep(0.2)
    return alive


def _group(process: psutil.Process) -> int | None:
    try:
        return None if process.status() == psutil.STATUS_ZOMBIE else os.getpgid(process.pid)
    except (psutil.Error, OSError):
        return None


def end_drivers() -> None:
    """End what a failed test left, driver and ranks."""
    while STARTED:
        driver = STARTED.pop()
        if driver.poll() is None:
            family = psutil.Process(driver.pid).children(recursive=True)
            driver.kill()
            driver.wait()
            for process in psutil.wait_procs(family, timeout=5)[1]:
                process.kill()


def sealed(config: Path) -> list[int]:
    """The steps of the complete checkpoints, oldest first."""
    found = (config.with_suffix("") / "run" / "checkpoints").glob("checkpoint-*/complete.json")
    return sorted(int(path.parent.name.partition("-")[2]) for path in found)


def checkpoint(config: Path, step: int) -> Path:
    """The folder of a checkpoint."""
    return config.with_suffix("") / "run" / "checkpoints" / f"checkpoint-{step}"


def wait_for(driver: subprocess.Popen, config: Path, *, step: int = 0, attempt: int = 1) -> None:
    """Wait until an attempt has begun, and a checkpoint of that step or a later one is complete."""
    folder = config.with_suffix("") / "run" / "ranks" / f"attempt-{attempt}"
    while not folder.exists() or max(sealed(config), default=0) < step:
        assert driver.poll() is None, config.with_suffix(".err").read_text()[-3000:]
        time.sleep(0.02)


def ranks(driver: int) -> dict[int, psutil.Process]:
    """The ranks below a driver, by number: who writes to a rank's log."""
    found = {}
    for process in psutil.Process(driver).children(recursive=True):
        try:
            names = [Path(file.path).name for file in process.open_files()]
        except psutil.Error:
            continue
        found |= {int(named[1]): process for name in names if (named := re.fullmatch(r"rank-(\d+)\.log", name))}
    return found


def model_of(run: Path) -> bytes:
    """The final weights of a run, or of its adapter."""
    (file,) = (run / "model").glob("*.safetensors")
    return file.read_bytes()


def apart(one: Path, other: Path) -> float:
    """The largest difference between the weights of two runs; a tied weight may be stored twice."""
    from safetensors.torch import load

    first, second = (load(model_of(run)) for run in (one, other))
    assert (first.keys() ^ second.keys()) <= {"lm_head.weight"}
    return max(float((first[key] - second[key]).abs().max()) for key in first.keys() & second.keys())


def check_equal(one: Path, other: Path) -> None:
    """The weights and the losses of two runs are the same, to the bit."""
    assert model_of(one) == model_of(other)
    losses = [[(line["step"], line["loss"]) for line in read_jsonl(run / "metrics.jsonl")] for run in (one, other)]
    assert losses[0] == losses[1]
    assert [step for step, _ in losses[0]] == list(range(1, STEPS + 1))


def alive(process: psutil.Process) -> bool:
    """Whether a process runs."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def asked_to_stop(driver: subprocess.Popen, config: Path) -> None:
    """Wait until the ranks have been told to stop: by a file (Ray), else by a signal, a moment after the driver's."""
    attempt = config.with_suffix("") / "run" / "ranks" / "attempt-1"
    if "ray" in config.read_text():
        while not (attempt / "stop").exists():
            assert driver.poll() is None
            time.sleep(0.02)
    time.sleep(2)
