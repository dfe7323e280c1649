"""What counts as a model, and what to do when it is none."""

from __future__ import annotations

import pytest

from utils.errors import UserError
from utils.models.locate import resolve_model


def test_a_model_directory_is_itself(tiny_model):
    assert resolve_model(tiny_model) == tiny_model
    assert resolve_model(str(tiny_model)) == tiny_model


def test_a_finished_run_means_its_model(tiny_model, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "model").symlink_to(tiny_model)
    with pytest.raises(UserError, match="posttrain resume"):
        resolve_model(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    assert resolve_model(tmp_path) == tmp_path / "model"


def test_nothing_there(tmp_path):
    with pytest.raises(UserError, match="no such model directory"):
        resolve_model(tmp_path / "missing")
    with pytest.raises(UserError, match=r"config\.json is missing"):
        resolve_model(tmp_path)


def test_pickled_weights_are_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytest_model.bin").write_bytes(b"\x80")
    with pytest.raises(UserError, match="pickled weights"):
        resolve_model(tmp_path)
