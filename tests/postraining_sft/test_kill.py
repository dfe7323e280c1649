"""F2, F20: a training is killed at a change of a file, twice; the same command again gives the undisturbed run.

Six pairs of points, drawn anew every day, of the some four hundred changes of a run with two stages, an adapter with
dropout, packed rows, evaluations, samples, the best checkpoint and lines of the log that span checkpoints.
"""

from __future__ import annotations

import datetime
import random
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.tiny import ROOT, chats, child_environment, command, computed, write_config, write_jsonl

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]


@pytest.fixture
def config(tiny_model, tmp_path):
    def make(name: str) -> Path:
        first, second = (write_jsonl(tmp_path / f"{n}.jsonl", chats(14)[8 * n : 8 * n + 8]) for n in (0, 1))
        keys = {
            "model": tiny_model, "output": tmp_path / name, "save_steps": 2, "logging_steps": 3, "learning_rate": 2e-3,
            "eval": write_jsonl(tmp_path / "held.jsonl", chats(3)), "keep_best": True, "keep_checkpoints": 2,
            "samples": ["数到 3"], "batching": "packed", "max_length": 64, "batch_size": 2,
            "peft": {"r": 2, "dropout": 0.1},
            "stages": [
                {"name": "one", "data": [first], "max_steps": 3}, {"name": "two", "data": [second], "max_steps": 4}
            ],
        }  # fmt: skip
        return write_config(tmp_path / f"{name}.yaml", keys)

    return make


def attempt(config: Path, folder: Path, at: int) -> tuple[int, int]:
    """Train, ended at the Nth change below the run directory (0: never); return exit code and changes."""
    count = folder / "count"
    count.write_text("0")
    environment = child_environment() | {
        "PYTHONPATH": f"{ROOT / 'tests/support/killed'}:{ROOT}",
        "KILL_AT": str(at), "KILL_BELOW": str(folder / config.stem), "KILL_COUNT": str(count),
    }  # fmt: skip
    start = [*command("postraining_sft.train", config), "--quiet"]
    done = subprocess.run(start, env=environment, cwd=folder, start_new_session=True, timeout=300)
    return done.returncode, int(count.read_text() or 0)


def content(run: Path) -> dict[str, object]:
    """What must be equal: weights, samples and computed metrics of all stages, and which files there are."""
    files = [path for path in run.rglob("*") if path.is_file() and run / "run" not in path.parents]
    found: dict[str, object] = {path.relative_to(run).as_posix(): None for path in files}
    found |= {path.relative_to(run).as_posix(): path.read_bytes() for path in files if path.suffix == ".safetensors"}
    return {**found, "metrics": computed(run), "samples": (run / "samples.jsonl").read_text(encoding="utf-8")}


def test_killed_at_any_change_of_a_file(config, tmp_path):
    code, changes = attempt(config("calm"), tmp_path, 0)
    assert code == 0
    assert changes > 200
    expected = content(tmp_path / "calm")
    draw = random.Random(datetime.date.today().toordinal())
    for _ in range(6):
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        first, second = draw.randrange(10, changes), draw.randrange(10, changes)
        assert attempt(config("out"), tmp_path, first)[0] == -signal.SIGKILL, first
        assert attempt(config("out"), tmp_path, second)[0] in (-signal.SIGKILL, 0), (first, second)
        assert attempt(config("out"), tmp_path, 0)[0] == 0, (first, second)
        assert content(tmp_path / "out") == expected, (first, second)
        assert not list((tmp_path / "out").rglob("*.tmp.*")), (first, second)
