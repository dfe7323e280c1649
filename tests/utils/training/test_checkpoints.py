"""A checkpoint is whole and ours, or it is passed over."""

from __future__ import annotations

import logging
import shutil

import pytest

from utils.errors import UserError
from utils.training.checkpoints import discard_newer, flaw, newest_complete, seal

FILES = ["model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"]


@pytest.fixture
def folder(tmp_path):
    for step in (2, 10, 9):
        checkpoint = tmp_path / f"checkpoint-{step}"
        checkpoint.mkdir()
        for name in FILES:
            (checkpoint / name).write_text(f"{name} {step}")
        seal(checkpoint, step=step, world_size=1)
    return tmp_path


def test_newest_by_number(folder):
    assert newest_complete(folder, world_size=1).name == "checkpoint-10"
    assert newest_complete(folder / "none", world_size=1) is None


@pytest.mark.parametrize("name", [*FILES, "complete.json"])
def test_each_missing_file_falls_back_and_says_so(folder, name, caplog):
    (folder / "checkpoint-10" / name).unlink()
    with caplog.at_level(logging.WARNING):
        found = newest_complete(folder, world_size=1, log=logging.getLogger("test"))
    assert found.name == "checkpoint-9"
    assert "checkpoint-10" in caplog.text
    assert name in caplog.text


def test_a_changed_file_is_never_loaded(folder):
    (folder / "checkpoint-10" / "optimizer.pt").write_bytes(b"a pickle of somebody else")
    assert flaw(folder / "checkpoint-10") == "optimizer.pt has changed"
    assert newest_complete(folder, world_size=1).name == "checkpoint-9"


def test_an_added_file_is_a_flaw(folder):
    (folder / "checkpoint-10" / "evil.pt").write_bytes(b"x")
    assert flaw(folder / "checkpoint-10") == "evil.pt is not listed"


def test_a_cut_seal_is_a_flaw(folder):
    (folder / "checkpoint-10" / "complete.json").write_text('{"step": 1')
    assert flaw(folder / "checkpoint-10") == "complete.json is cut short"


def test_nothing_complete(folder):
    for checkpoint in folder.iterdir():
        (checkpoint / "complete.json").unlink()
    assert newest_complete(folder, world_size=1) is None


def test_another_world_size_is_refused(folder):
    with pytest.raises(UserError, match="written by 1 processes, now there are 2"):
        newest_complete(folder, world_size=2)


def test_broken_newer_ones_go_before_the_run_goes_on(folder):
    (folder / "checkpoint-10" / "complete.json").unlink()
    shutil.copytree(folder / "checkpoint-10", folder / "checkpoint-11")
    discard_newer(folder, newest_complete(folder, world_size=1))
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint-2", "checkpoint-9"]
