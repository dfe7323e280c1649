"""What ranks compare before they work, between two real processes with gloo."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.tiny import ROOT, child_environment
from utils.runs.manifest import driver_version
from utils.training.agreement import differences
from utils.training.launchers.torchrun import _free_port

RANK = """
import json, os, sys
from pathlib import Path
from datetime import timedelta
import posttrain_root
import torch
from utils.errors import UserError
from utils.runs.directory import Run
from utils.training import agreement
from utils.training.config import TrainingConfig

rank, output, seed = int(os.environ["RANK"]), sys.argv[1], int(sys.argv[2])
torch.distributed.init_process_group("gloo", timeout=timedelta(seconds=120))
agreement._SEEN_WITHIN_S = 1.0
assert agreement.gather(b"x" * (1 + rank * 3)) == [b"x", b"xxxx"]
config = TrainingConfig(output=output, model="m", learning_rate=1, seed=seed)
Path(output, "run").mkdir(parents=True, exist_ok=True)
run = Run(config, "sft", leader=rank == 0)
try:
    agreement.agree(run, config.model_copy(update={"output": Path("o")}), "postraining_sft.train")
    print(json.dumps("agreed"))
except UserError as error:
    print(json.dumps(str(error)))
torch.distributed.barrier()
torch.distributed.destroy_process_group()
"""


def two_ranks(outputs: tuple, seeds: tuple) -> list[str]:
    """Let two processes meet; return what each said."""
    port = str(_free_port())
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(outputs[rank]), str(seeds[rank])],
            env=child_environment() | meeting | {"RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=200)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    return [json.loads(text.splitlines()[-1]) for text in said]


def test_equal_ranks_agree_and_leave_nothing(tmp_path):
    assert two_ranks((tmp_path, tmp_path), (1, 1)) == ["agreed", "agreed"]
    assert not list((tmp_path / "run").iterdir())


def test_another_seed_stops_all_ranks(tmp_path):
    said = two_ranks((tmp_path, tmp_path), (1, 2))
    assert said[0] == said[1]
    assert "the ranks differ: " in said[0]
    assert "seed: 1 on rank 0 (" in said[0] and "2 on rank 1 (" in said[0]


@pytest.mark.long
def test_a_run_directory_that_is_not_shared(tmp_path):
    """F21: two machines with a directory of the same name each."""
    said = two_ranks((tmp_path / "a", tmp_path / "b"), (1, 1))
    assert said[0].startswith(str(tmp_path / "a")) and said[1].startswith(str(tmp_path / "b"))
    assert all("rank 1 (" in text and "do not see the run directory of rank 0" in text for text in said)


def test_differences_name_ranks_hosts_and_values():
    same = {"torch": "2.13.0", "seed": "1"}
    assert differences([same, same, same], ["a", "a", "b"]) == ""
    said = differences([same, same, {**same, "torch": "2.12.1"}], ["a", "a", "b"])
    assert said == "torch: 2.13.0 on ranks 0, 1 (a), 2.12.1 on rank 2 (b)"
    assert differences([same, {"torch": "2.13.0"}], ["a", "b"]) == "seed: 1 on rank 0 (a), not there on rank 1 (b)"


def test_a_driver_says_its_version_or_that_there_is_none():
    assert driver_version() == "none" or driver_version()[0].isdigit()
