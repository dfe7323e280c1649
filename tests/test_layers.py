"""Imports go down only, and what must be light stays light."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = ("utils", "cleaning", "data_pipeline", "postraining_sft", "postraining_dpo", "rounds")
HEAVY = ("torch", "transformers", "trl", "deepspeed", "ray", "sklearn", "vllm", "numba", "scipy", "ftfy", "opencc")

HELP = """
import contextlib, io
import posttrain, cli
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    cli.main(["--help"])
"""


def loaded_by(code: str, root: Path) -> set[str]:
    """Return the top-level packages that a fresh interpreter has loaded after running code in the project's folder."""
    report = "\nimport json, sys\nprint(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + report], cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def config_modules() -> list[str]:
    root = Path(__file__).resolve().parent.parent
    files = sorted(file for package in PACKAGES for file in (root / package).rglob("config.py"))
    return [".".join(file.relative_to(root).with_suffix("").parts) for file in files]


def test_import_contracts_hold(root: Path) -> None:
    script = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([script, "--no-cache"], cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_cli_is_light(root: Path) -> None:
    assert not loaded_by("import posttrain, cli", root).intersection(HEAVY)


def test_help_is_light(root: Path) -> None:
    assert not loaded_by(HELP, root).intersection(HEAVY)


@pytest.mark.parametrize("module", config_modules())
def test_config_module_is_light(module: str, root: Path) -> None:
    assert not loaded_by(f"import posttrain, {module}", root).intersection(HEAVY)


def test_the_measure_itself_sees_heavy_packages(root: Path) -> None:
    assert "sklearn" in loaded_by("import sklearn", root)


def test_every_folder_with_code_is_a_package(root: Path) -> None:
    folders = {file.parent for package in PACKAGES for file in (root / package).rglob("*.py")}
    assert not [str(folder) for folder in folders if not (folder / "__init__.py").is_file()]
