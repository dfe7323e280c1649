"""The shell scripts, with stand-ins for `posttrain` and for Python: what they pass on, return, keep and survive."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

DOORS = {
    "run_data_cleaning.sh": ["clean", "--config", "configs/cleaning/quickstart.yaml"],
    "run_posttraining.sh": ["rounds", "--config", "configs/rounds/default.yaml"],
    "stopall.sh": ["stop"],
}
HOSTILE = ["a;touch X", "$(touch X)", "`touch X`", "line\nbreak", "two  words", "*", "", "--set", "k='\"\\", "-h"]

POSTTRAIN = r"""#!/usr/bin/env bash
printf '%s\0' "$PWD" "$@" >seen.new && mv seen.new "$SEEN"
if [[ -n ${WAIT-} ]]; then
  trap 'exit 143' TERM
  while :; do sleep 0.02; done
fi
exit "${CODE:-0}"
"""

PYTHON = r"""#!/usr/bin/env bash
printf '%s\n' "$*" >>"$PYTHON_LOG"
while [[ $1 == -I || $1 == -S ]]; do shift; done
case "$1 $2 $3" in
"-c "*) [[ $2 != *print* ]] || echo "3.11.9 (stand-in)" ;;
"-m venv "*)
  venv="${!#}"
  rm -rf -- "$venv"
  mkdir -p -- "$venv/bin" "$venv/lib/python3.11/site-packages"
  cp -- "$0" "$venv/bin/python"
  [[ ${ON_VENV-} != die ]] || { kill -KILL "$PPID" && exit 1; }
  printf 'VIRTUAL_ENV="%s"\n' "$venv" >"$venv/bin/activate"
  : >"$venv/pyvenv.cfg"
  ;;
"-m pip install")
  case "${ON_INSTALL-}" in
  die) kill -KILL "$PPID" && exit 1 ;;
  slow) sleep 0.4 ;;
  fail) exit 1 ;;
  esac
  ;;
esac
exit 0
"""


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def house(tmp_path: Path, root: Path) -> Path:
    """A copy of the scripts in a folder with a space and a quote in its name; setup.sh does nothing there."""
    house = tmp_path / "a b'c"
    for door in [*DOORS, "run_tests.sh"]:
        script(house / door, (root / door).read_text())
    script(house / "setup.sh", "echo made >&2")
    script(house / ".venv/bin/posttrain", POSTTRAIN)
    return house


@pytest.fixture
def caller(tmp_path: Path) -> Path:
    folder = tmp_path / "caller"
    folder.mkdir()
    return folder


def go(door: Path, *arguments: str, cwd: Path, before: tuple[str, ...] = (), **env: str) -> tuple[int, list[str]]:
    """Run a door; return its exit code, and what the stand-in saw: working directory, then arguments."""
    seen = cwd / "seen"
    done = subprocess.run(
        [*before, "bash", str(door), *arguments],
        cwd=cwd,
        env={**os.environ, "SEEN": str(seen), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
    )
    assert done.stdout == b"", "stdout belongs to the command"
    return done.returncode, seen.read_bytes().decode().split("\0")[:-1]


@pytest.mark.parametrize("door", DOORS)
def test_defaults_and_working_directory(door: str, house: Path, caller: Path) -> None:
    verb, *rest = DOORS[door]
    expected = [verb, *(str(house / word) if word.startswith("configs/") else word for word in rest)]
    assert go(house / door, cwd=caller) == (0, [str(caller), *expected])


@pytest.mark.parametrize("door", ["run_data_cleaning.sh", "run_posttraining.sh"])
def test_options_without_config_keep_the_default(door: str, house: Path, caller: Path) -> None:
    _, seen = go(house / door, "--set", "profile=spine", cwd=caller)
    assert seen[3:] == [str(house / DOORS[door][-1]), "--set", "profile=spine"]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("first", ["my conf;touch X.yaml", "$(touch X).yaml", "new\nline.yaml"])
def test_arguments_go_through_untouched(door: str, first: str, house: Path, caller: Path) -> None:
    _, seen = go(house / door, first, *HOSTILE, cwd=caller)
    assert seen[1:] == [*DOORS[door][: 2 if door != "stopall.sh" else 1], first, *HOSTILE]
    assert sorted(file.name for file in caller.iterdir()) == ["seen"]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("code", [0, 2, 3, 75, 143])
def test_exit_code_is_the_commands(door: str, code: int, house: Path, caller: Path) -> None:
    assert go(house / door, cwd=caller, CODE=str(code))[0] == code


@pytest.mark.parametrize("door", DOORS)
def test_under_nohup_and_through_a_symlink(door: str, house: Path, caller: Path) -> None:
    link = caller / "links" / door
    link.parent.mkdir()
    link.symlink_to(os.path.relpath(house / door, link.parent))
    code, seen = go(link, cwd=caller, before=("nohup",), CODE="3")
    assert (code, seen[0]) == (3, str(caller))


@pytest.mark.parametrize("door", DOORS)
def test_sigterm_reaches_the_command(door: str, house: Path, caller: Path) -> None:
    env = {**os.environ, "SEEN": str(caller / "seen"), "WAIT": "1"}
    process = subprocess.Popen(["bash", str(house / door)], cwd=caller, env=env, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while not (caller / "seen").exists():
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 143
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("door", [*DOORS, "run_tests.sh", "setup.sh"])
def test_help(door: str, root: Path, caller: Path) -> None:
    done = subprocess.run(["bash", root / door, "--help"], cwd=caller, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: bash {door}")


@pytest.mark.parametrize("door", ["run_data_cleaning.sh", "run_posttraining.sh"])
def test_failed_setup_starts_nothing(door: str, house: Path, caller: Path) -> None:
    script(house / "setup.sh", "exit 7")
    env = {**os.environ, "SEEN": str(caller / "seen")}
    assert subprocess.run(["bash", house / door], cwd=caller, env=env, timeout=30).returncode == 7
    assert not (caller / "seen").exists()


class Setup:
    """A folder with the real setup.sh and a stand-in Python that records its calls."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.root = folder / "my clone"
        self.root.mkdir(parents=True)
        for name in ("setup.sh", "constraints.txt", "pyproject.toml"):
            shutil.copy(root / name, self.root / name)
        self.stamp = self.root / ".venv" / ".posttrain-stamp"
        self.log = folder / "python.log"
        self.python = script(folder / "python3.11", PYTHON)

    def start(self, **env: str) -> subprocess.Popen[str]:
        """Start setup.sh; the log of Python's calls begins anew."""
        return subprocess.Popen(
            ["bash", str(self.root / "setup.sh")],
            cwd="/",
            env={**os.environ, "PYTHON": str(self.python), "PYTHON_LOG": str(self.log), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, **env: str) -> tuple[int, str]:
        """Run setup.sh to its end; return exit code and stderr."""
        self.log.write_text("")
        process = self.start(**env)
        out, errors = process.communicate(timeout=30)
        assert out == ""
        return process.returncode, errors

    def calls(self, word: str) -> int:
        """Count Python's calls that hold a word."""
        return sum(word in line for line in self.log.read_text().splitlines())


@pytest.fixture
def setup(tmp_path: Path, root: Path) -> Setup:
    return Setup(tmp_path / "setup", root)


def test_setup_installs_torch_first_then_the_project(setup: Setup) -> None:
    code, errors = setup.run()
    assert code == 0, errors
    installs = [line for line in setup.log.read_text().splitlines() if "pip install" in line]
    assert [line.split("-c constraints.txt ")[1] for line in installs] == ["torch", "-e .[dev]"]
    assert not [line for line in installs if "index" in line], "the machine's own pip configuration decides"
    assert setup.stamp.is_file()


def test_setup_is_a_no_op_when_up_to_date(setup: Setup) -> None:
    setup.run()
    before = setup.stamp.stat().st_mtime_ns
    began = time.monotonic()
    assert setup.run(PATH=os.environ["PATH"]) == (0, "")
    assert time.monotonic() - began < 1, "goal 0.2 s; a shared machine gets some slack"
    assert (setup.calls("venv "), setup.calls("pip")) == (0, 0)
    assert setup.stamp.stat().st_mtime_ns == before


@pytest.mark.parametrize("fault", [{"ON_INSTALL": "die"}, {"ON_INSTALL": "fail"}])
def test_interrupted_installation_leaves_no_stamp_and_goes_on(setup: Setup, fault: dict[str, str]) -> None:
    assert setup.run(**fault)[0] != 0
    assert not setup.stamp.exists()
    assert setup.run()[0] == 0
    assert setup.calls("-m venv") == 0, "a whole .venv is kept"
    assert setup.stamp.is_file()


def test_half_made_environment_is_made_anew(setup: Setup) -> None:
    assert setup.run(ON_VENV="die")[0] != 0
    assert (setup.root / ".venv/bin/python").is_file() and not setup.stamp.exists()
    assert setup.run()[0] == 0
    assert setup.calls("-m venv") == 1
    assert setup.stamp.is_file()


def test_package_cut_off_during_its_installation_is_not_trusted(setup: Setup) -> None:
    setup.run(ON_INSTALL="fail")
    (setup.root / ".venv/lib/python3.11/site-packages/torch-2.13.0.dist-info").mkdir()
    assert setup.run()[0] == 0
    assert setup.calls("-m venv") == 1


@pytest.mark.parametrize(
    ("file", "old", "new", "installs"),
    [
        ("constraints.txt", "numpy==", "numpy==9.", 2),
        ("pyproject.toml", '  "tqdm",', '  "tqdm",\n  "extra",', 2),
        ("pyproject.toml", "line-length = 120", "line-length = 100", 0),
    ],
)
def test_setup_renews_when_what_it_installs_changed(setup: Setup, file: str, old: str, new: str, installs: int) -> None:
    setup.run()
    path = setup.root / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert setup.run()[0] == 0
    assert (setup.calls("-m venv"), setup.calls("pip install")) == (0, installs)


def test_environment_without_its_settings_is_the_systems_python_and_made_anew(setup: Setup) -> None:
    setup.run()
    (setup.root / ".venv/pyvenv.cfg").unlink()
    assert setup.run()[0] == 0
    assert setup.calls("-m venv") == 1


def test_linked_environment_belongs_to_another_folder_and_is_not_touched(setup: Setup, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (setup.root / ".venv").symlink_to(other)
    code, errors = setup.run()
    assert (code, len(errors.splitlines())) == (1, 1) and "rm .venv" in errors
    assert setup.log.read_text() == "" and not list(other.iterdir())


def test_moved_project_gets_a_new_environment(setup: Setup) -> None:
    setup.run()
    setup.root = setup.root.rename(setup.root.with_name("moved"))
    assert setup.run()[0] == 0
    assert setup.calls("-m venv") == 1


def test_two_setups_at_once_install_once(setup: Setup) -> None:
    setup.log.write_text("")
    both = [setup.start(ON_INSTALL="slow") for _ in range(2)]
    errors = [process.communicate(timeout=30)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert (setup.calls("-m venv"), setup.calls("pip install")) == (1, 2)
    assert sum("waiting" in text for text in errors) == 1


@pytest.mark.parametrize("with_python", [False, True], ids=["no python", "no venv module"])
def test_missing_python_is_one_clear_line(setup: Setup, with_python: bool, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("bash", "readlink", "dirname", "flock", "rm", "sed", "awk", "cat", "sha256sum"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    if with_python:
        script(tools / "python3.11", '#!/usr/bin/env bash\n[[ "$*" != *ensurepip* ]]\n')
    code, errors = setup.run(PYTHON="", PATH=str(tools))
    assert code == 1
    assert len(errors.splitlines()) == 1 and "python3.11-venv" in errors
    assert not setup.stamp.exists()
