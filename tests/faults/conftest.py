"""Fault tests run the command line in real processes, on rows made here."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import cli
from tests.support.cleaning import work_here
from utils.runs.directory import Run

ROOT = Path(__file__).resolve().parents[2]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 3,000 rows in two files, some to change, some to drop, one that is not JSON."""
    folder = tmp_path_factory.mktemp("rows")
    for name in ("a", "b"):
        made = [
            {"instruction": f"q{name}{i}", "output": "" if i % 50 == 0 else f"<b>a{i % 1400}</b>"} for i in range(1500)
        ]
        lines = [json.dumps(row) for row in made]
        (folder / f"{name}.jsonl").write_text("\n".join([*lines, "broken"]) + "\n")
    return folder


@pytest.fixture(scope="session")
def calm(rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The undisturbed run over `rows`, without workers."""
    run = tmp_path_factory.mktemp("calm") / "out"
    run_here(clean_arguments(rows, f"output={run}"))
    return run


@pytest.fixture(autouse=True)
def keep_handlers():
    """Give pytest its signal handlers back after a run in this process."""
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGTERM, signal.SIGINT)}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start `posttrain …` in a session of its own, in the test's folder."""

    def go(*arguments: str, program: Path = ROOT / "posttrain.py", **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", str(program), *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return go


@pytest.fixture
def posttrain(start: Start) -> Callable[..., tuple[int, str, str]]:
    """Run `posttrain …` to its end; return exit code, stdout, stderr."""

    def go(*arguments: str, **environment: str) -> tuple[int, str, str]:
        process = start(*arguments, **environment)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    return go


@pytest.fixture
def here(tmp_path, monkeypatch, capfd) -> Callable[..., tuple[int, str, str]]:
    """Run `posttrain …` to its end in this process, in the test's folder; return exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    work_here(monkeypatch)

    def go(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = cli.main([*arguments])
        return code, *capfd.readouterr()

    return go


@pytest.fixture
def dying(monkeypatch):
    """Say which tries of which units of a run in this process fail, and how (`tests/support/dying.py`)."""
    execute = Run._execute

    def plan(**tries):
        monkeypatch.setenv("DYING", json.dumps(tries))
        monkeypatch.setattr(
            Run, "_execute", lambda run, jobs, tasks: execute(run, [f"tests.support.dying:{j}" for j in jobs], tasks)
        )

    return plan


def copy_checkout(target: Path) -> Path:
    """Copy our code, for tests that change it or that stop all runs of a checkout; return the program in the copy."""
    target.mkdir()
    for name in ("utils", "rounds", "cleaning", "configs", "data_pipeline"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("posttrain.py", "posttrain_root.py", "cli.py"):
        shutil.copy(ROOT / name, target / name)
    return target / "posttrain.py"


def clean_arguments(rows: Path, *more: str) -> list[str]:
    """Return the arguments of a small cleaning run in one local worker, into `out`."""
    chosen = [f"input={rows}", "output=out", "policy=default-instruction", "executor=local", "workers=1"]
    chosen += ["partition_bytes=16384", "quarantine_limit=0.01", *more]
    return ["clean", *(word for one in chosen for word in ("--set", one))]


def run_here(arguments: list[str]) -> None:
    """Run `posttrain …` in this process; it must end well."""
    with pytest.MonkeyPatch.context() as patch:
        work_here(patch)
        assert cli.main([*arguments, "--quiet"]) == 0


def content(run: Path) -> dict[str, bytes]:
    """Return what two runs must share to be equal."""
    found = [p for folder in ("good", "bad", "quarantine", "ledger", "edits") for p in (run / folder).rglob("*")]
    found += [*run.glob("*-meta-info.json"), *run.glob("*-sample100.jsonl")]
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in found if path.is_file()}
