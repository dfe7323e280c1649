"""What counts as a model, and what to do when it is none."""

from __future__ import annotations

import json
import shutil

import pytest

from utils.errors import UserError
from utils.models.locate import load_model, load_tokenizer, resolve_model


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


def test_code_of_a_model_is_never_run(tiny_model, tmp_path):
    """S2: a model whose config names Python files beside it is refused, and they are not imported."""
    hostile, ran = tmp_path / "hostile", tmp_path / "ran"
    shutil.copytree(tiny_model, hostile)
    described = json.loads((hostile / "config.json").read_text())
    described |= {"model_type": "own", "auto_map": {"AutoConfig": "own.C", "AutoModelForCausalLM": "own.M"}}
    (hostile / "config.json").write_text(json.dumps(described))
    (hostile / "own.py").write_text(f"open({str(ran)!r}, 'w')\n")
    with pytest.raises(UserError, match="code of its own, which is never run"):
        load_model(resolve_model(hostile))
    load_tokenizer(hostile)
    assert not ran.exists()


def test_damaged_files_are_one_error(tiny_model, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(tiny_model, damaged)
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError, match="the weights are damaged"):
        load_model(damaged)
    (damaged / "config.json").write_text('{"model_type": "nobody-knows"}')
    with pytest.raises(UserError, match="not usable"):
        load_model(damaged)
