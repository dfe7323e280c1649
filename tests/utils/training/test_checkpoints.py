"""A checkpoint is whole and ours, or it is passed over."""

from __future__ import annotations

import logging
import shutil

import pytest

from utils.errors import UserError
from utils.training.checkpoints import discard_newer, flaw, keep_newest, missing_parts, newest_complete, point, seal

FILES = ["model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", "care/rank-0.json"]


@pytest.fixture
def folder(tmp_path):
    for step in (2, 10, 9):
        checkpoint = tmp_path / f"checkpoint-{step}"
        (checkpoint / "care").mkdir(parents=True)
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
    for text in ("[]", "{}", '"x"', '{"files": {}}'):
        (folder / "checkpoint-10" / "complete.json").write_text(text)
        assert flaw(folder / "checkpoint-10") == "complete.json has changed"


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


def test_the_newest_and_the_best_stay_and_are_named(folder):
    keep_newest(folder, 2, best=2)
    assert (folder / "best").resolve() == folder / "checkpoint-2"
    assert len(list(folder.glob("checkpoint-*"))) == 3
    keep_newest(folder, 1, best=9)
    assert (folder / "best").resolve() == folder / "checkpoint-9"
    assert sorted(path.name for path in folder.glob("checkpoint-*")) == ["checkpoint-10", "checkpoint-9"]
    keep_newest(folder, 1)
    assert [path.name for path in folder.glob("checkpoint-*")] == ["checkpoint-10"]
    point(folder / "final", "checkpoint-10")
    (folder / "checkpoint-10" / "complete.json").unlink()
    discard_newer(folder, None)
    assert not list(folder.iterdir())  # no name without its checkpoint


@pytest.mark.parametrize("zero", [None, 0, 1, 2, 3])
def test_every_ranks_part_is_counted(tmp_path, zero):
    states = tmp_path / "global_step7"
    states.mkdir()
    parts = {None: [], 0: ["mp_rank_00_model_states.pt"]}.get(zero)
    if parts is None:
        parts = [f"zero_pp_rank_{rank}_mp_rank_00_optim_states.pt" for rank in (0, 1)]
        whole = ["mp_rank_00_model_states.pt"]
        parts += [f"zero_pp_rank_{rank}_mp_rank_00_model_states.pt" for rank in (0, 1)] if zero == 3 else whole
    (tmp_path / "care").mkdir()
    files = [tmp_path / name for rank in (0, 1) for name in (f"rng_state_{rank}.pth", f"care/rank-{rank}.json")]
    files += [states / name for name in parts]
    for path in files:
        path.write_bytes(b"x")
    assert missing_parts(tmp_path, 2, zero) == []
    seal(tmp_path, step=7, world_size=2, zero=zero)
    assert flaw(tmp_path) is None
    for path in files:
        path.unlink()
        with pytest.raises(UserError, match="the part of a rank is missing"):
            seal(tmp_path, step=7, world_size=2, zero=zero)
        path.write_bytes(b"x")


def test_a_pickle_of_deepspeed_is_loaded_only_as_it_was_sealed(folder):
    """DeepSpeed unpickles its states without limits, so what is not ours to the byte never reaches it (S1)."""
    states = folder / "checkpoint-10" / "global_step10"
    states.mkdir()
    (states / "mp_rank_00_model_states.pt").write_bytes(b"ours")
    seal(folder / "checkpoint-10", step=10, world_size=1)
    assert newest_complete(folder, world_size=1).name == "checkpoint-10"
    (states / "mp_rank_00_model_states.pt").write_bytes(b"evil")
    assert newest_complete(folder, world_size=1).name == "checkpoint-9"
    (states / "mp_rank_00_model_states.pt").write_bytes(b"ours")
    (states / "zero_pp_rank_0_mp_rank_00_optim_states.pt").write_bytes(b"one more")
    assert newest_complete(folder, world_size=1).name == "checkpoint-9"
