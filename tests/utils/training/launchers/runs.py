"""What the tests of real ranks share: a config for two of them, the driver as a process, its ranks."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from tests.support.tiny import ROOT, chats, child_environment, read_jsonl, weights, write_config, write_jsonl

STARTED: list[subprocess.Popen] = []
"""Drivers of the test that runs."""


def make(tiny_model: Path, folder: Path, name: str, **launch: Any) -> Path:
    """Write a config for two ranks: 14 rows, 4 per step, so checkpoints fall into the middle of an epoch."""
    config = {
        "model": tiny_model,
        "data": [write_jsonl(folder / "chats.jsonl", chats())],
        "output": folder / name,
        "max_steps": 30,
        "batch_size": 2,
        "learning_rate": 2e-3,
        "save_steps": 4,
        "max_length": 128,
        "launch": {"kind": "torchrun", "processes": 2, **launch},
    }
    return write_config(folder / f"{name}.yaml", config)


def start(config: Path, environment: dict[str, str] | None = None) -> subprocess.Popen:
    """Start the driver; what it says goes to `<config>.err`."""
    variables = child_environment() | {"OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"} | (environment or {})
    with config.with_suffix(".err").open("ab") as log:
        command = [sys.executable, "-P", str(ROOT / "posttrain.py"), "sft", "--config", str(config)]
        STARTED.append(subprocess.Popen(command, env=variables, cwd=config.parent, stderr=log))
    return STARTED[-1]


def finish(driver: subprocess.Popen, config: Path, code: int = 0) -> str:
    """Wait for the driver; return what it said."""
    ended = driver.wait(timeout=400)
    said = config.with_suffix(".err").read_text()
    assert ended == code, said[-3000:]
    return said


def checkpoint(config: Path, step: int) -> Path:
    """The file that says that a checkpoint is complete."""
    return config.with_suffix("") / "run" / "checkpoints" / f"checkpoint-{step}" / "complete.json"


def wait_for(path: Path, driver: subprocess.Popen) -> None:
    """Wait until a file is there."""
    while not path.exists():
        assert driver.poll() is None, "the run ended before the file was there"
        time.sleep(0.02)


def torchrun_ranks(driver: int) -> dict[int, psutil.Process]:
    """The ranks below a driver, by number."""
    found = {}
    for process in psutil.Process(driver).children(recursive=True):
        environment = process.environ()
        if "RANK" in environment and "postraining_sft.train" in process.cmdline():
            found[int(environment["RANK"])] = process
    return found


def check_equal(one: Path, other: Path) -> None:
    """The weights and the losses of two runs are the same."""
    assert weights(one) == weights(other)
    losses = [[(line["step"], line["loss"]) for line in read_jsonl(run / "metrics.jsonl")] for run in (one, other)]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 30
