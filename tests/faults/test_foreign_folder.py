"""`posttrain` works from a folder with its own `utils/`, `cli.py` and `tests/`: here, and in every kind of worker."""

import json
import os
import subprocess
import sys

import pytest

from tests.faults.conftest import ROOT

POISON = "raise SystemExit('a foreign module was imported')\n"


@pytest.fixture
def foreign(tmp_path, rows):
    for name in ("utils", "tests", "cleaning", "rounds"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(POISON)
    for name in ("cli.py", "utils/errors.py"):
        (tmp_path / name).write_text(POISON)
    (tmp_path / "data").symlink_to(rows)
    return tmp_path


def installed():
    return os.path.join(os.path.dirname(sys.executable), "posttrain")


@pytest.mark.parametrize(
    ("executor", "extra"),
    [
        ("local", {}),
        pytest.param("local", {"PYTHONPATH": "."}, marks=pytest.mark.slow),
        pytest.param("ray", {}, marks=[pytest.mark.ray, pytest.mark.slow]),
        pytest.param("ray", {"PYTHONPATH": "."}, marks=pytest.mark.ray),
    ],
    ids=["local", "local-PYTHONPATH=.", "ray", "ray-PYTHONPATH=."],
)
def test_console_command_and_its_workers(foreign, executor, extra):
    if not os.path.exists(installed()):
        pytest.skip("the console command is not installed; bash setup.sh installs it")
    chosen = ["input=data", "output=out", f"executor={executor}", "workers=1", "policy=default-instruction"]
    command = [installed(), "clean", *(word for one in chosen for word in ("--set", one))]
    done = subprocess.run(
        command, cwd=foreign, env={**os.environ, **extra}, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    execution = json.loads((foreign / "out" / "manifest.json").read_text())["execution"]
    assert (execution["executor"], execution["tasks"] > 0) == (executor, True)


def test_module_command(foreign):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "posttrain", "status", "--json"]
    done = subprocess.run(command, cwd=foreign, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
