"""Imports go down only, and what must be light stays light."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PACKAGES = ("utils", "cleaning", "data_pipeline", "postraining_sft", "postraining_dpo", "rounds")
HEAVY = ("torch", "transformers", "trl", "deepspeed", "ray", "sklearn", "vllm", "numba", "scipy", "ftfy", "opencc")

HELP = """
import contextlib, io
import posttrain, cli
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    cli.main(["--help"])
"""


DRY_RUN = """
import contextlib, io
import posttrain, cli
with contextlib.redirect_stdout(io.StringIO()):
    assert cli.main(["clean", "--config", "configs/cleaning/quickstart.yaml", "--dry-run"]) == 0
"""

ONE_AFTER_ANOTHER = """
import importlib, json, sys
import posttrain
for module in MODULES:
    importlib.import_module(module)
    print(module, *sorted({name.partition('.')[0] for name in sys.modules} & HEAVY))
"""


def loaded_by(code: str, root: Path) -> set[str]:
    """Return the top-level packages that a fresh interpreter has loaded after running code in the project's folder."""
    report = "\nimport json, sys\nprint(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    return set(json.loads(said_by(code + report, root)[-1]))


def said_by(code: str, root: Path) -> list[str]:
    """Return the lines that a fresh interpreter prints in the project's folder."""
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


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


def test_config_modules_are_light(root: Path) -> None:
    code = ONE_AFTER_ANOTHER.replace("MODULES", repr(config_modules())).replace("HEAVY", repr(set(HEAVY)))
    assert said_by(code, root) == config_modules(), "no package is named behind a module"


def test_a_cleaning_run_leaves_what_is_heavy_to_its_workers(root: Path) -> None:
    assert not loaded_by("import posttrain, cleaning.run", root).intersection({*HEAVY, "llvmlite", "polars"})
    assert not loaded_by(DRY_RUN, root).intersection({*HEAVY, "llvmlite"})


def test_the_measure_itself_sees_heavy_packages(root: Path) -> None:
    assert "sklearn" in loaded_by("import sklearn", root)


def test_every_folder_with_code_is_a_package(root: Path) -> None:
    folders = {file.parent for package in PACKAGES for file in (root / package).rglob("*.py")}
    assert not [str(folder) for folder in folders if not (folder / "__init__.py").is_file()]
