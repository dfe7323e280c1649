"""The batch script: its syntax, its quoting, and what it does, with stand-ins for Slurm's commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from utils.errors import StageFailedError, UserError
from utils.runs.directory import Run
from utils.runs.stage import Submitted
from utils.training.config import SlurmLaunch, TrainingConfig
from utils.training.launchers.slurm import job_script, sbatch_command, submit

SRUN = """# stands for srun: starts one task, hands SIGTERM on to it
while [[ $1 == --* ]]; do echo "$1" >> "$HERE/srun-options"; shift; done
export SLURM_PROCID=3 SLURM_LOCALID=1 SLURM_NTASKS=4
"$@" & task=$!
trap 'kill -TERM $task' TERM
wait $task; code=$?
while kill -0 $task 2>/dev/null; do wait $task; code=$?; done
exit $code
"""

TASK = """
import json, os, signal, sys, time
here = os.environ["HERE"]
names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
with open(here + "/tasks", "a") as stream:
    stream.write(json.dumps({"argv": sys.argv[1:], "cwd": os.getcwd(), **{n: os.environ[n] for n in names}}) + "\\n")
codes = open(here + "/codes").read().split()
code = codes[min(sum(1 for _ in open(here + "/tasks")), len(codes)) - 1]
if code == "wait":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    open(here + "/waiting", "w").close()
    time.sleep(60)
sys.exit(int(code))
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A folder first on PATH with stand-ins; what they were told lies in it."""
    here = tmp_path / "bin"
    here.mkdir()
    stand_ins = {
        "sbatch": 'printf "%s\\n" "$@" > "$HERE/sbatch-arguments"; cat "$HERE/answer"; exit "$(cat "$HERE/code")"',
        "squeue": 'cat "$HERE/state" 2>/dev/null',
        "scontrol": 'if [[ $1 == show ]]; then printf "nodea\\nnodeb\\n"; else echo "$@" >> "$HERE/requeued"; fi',
        "srun": SRUN,
        "sleep": "exit",
    }
    for name, text in stand_ins.items():
        (here / name).write_text("#!/usr/bin/env bash\n" + text + "\n")
        (here / name).chmod(0o755)
    (here / "answer").write_text("4711\n")
    (here / "code").write_text("0")
    monkeypatch.setenv("PATH", f"{here}:{os.environ['PATH']}")
    monkeypatch.setenv("HERE", str(here))
    return here


def run_in(output: Path) -> Run:
    run = Run(TrainingConfig(output=output, model="m", learning_rate=1), "sft", quiet=True)
    run.inner.mkdir(parents=True, exist_ok=True)
    return run


def launch(**more) -> SlurmLaunch:
    return SlurmLaunch(kind="slurm", nodes=2, processes=4, **more)


def test_submitted_once(slurm, tmp_path):
    run = run_in(tmp_path / "out")
    with pytest.raises(Submitted, match="job 4711"):
        submit("postraining_sft.train", run, launch())
    assert (slurm / "sbatch-arguments").read_text().splitlines() == sbatch_command(run.path)[1:]
    assert json.loads((run.inner / "slurm" / "job.json").read_text()) == {"job": "4711"}
    (slurm / "state").write_text("PENDING\n")
    with pytest.raises(UserError, match="job 4711 of this run is pending"):
        submit("postraining_sft.train", run, launch())
    (slurm / "state").write_text("")
    with pytest.raises(Submitted):
        submit("postraining_sft.train", run, launch())


def test_slurm_refuses_or_is_not_there(slurm, tmp_path, monkeypatch):
    run = run_in(tmp_path / "out")
    (slurm / "answer").write_text("")
    (slurm / "code").write_text("1")
    with pytest.raises(StageFailedError, match="sbatch failed with 1"):
        submit("postraining_sft.train", run, launch())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="no sbatch here"):
        submit("postraining_sft.train", run, launch())


def test_the_head_says_what_the_config_says(tmp_path):
    script = job_script("m", tmp_path, launch(partition="gpu", time="1-00:00:00", lines=["--gpus-per-node=4"]))
    head = [line.removeprefix("#SBATCH ") for line in script.splitlines() if line.startswith("#SBATCH ")]
    assert {"--nodes=2", "--ntasks-per-node=4", "--time=1-00:00:00", "--partition=gpu"} <= set(head)
    assert {"--requeue", "--signal=B:USR1@300", "--gpus-per-node=4"} <= set(head)
    assert not any("account" in line for line in head)


@pytest.mark.parametrize("line", ["--comment=x\ntouch X", "--comment=x\rtouch X", "a\x00b", "a\u2028touch X"])
def test_a_line_break_in_a_line_is_refused(tmp_path, line):
    with pytest.raises(UserError, match="control character"):
        job_script("m", tmp_path, launch(lines=[line]))


@pytest.mark.parametrize("value", ["a;touch X", "$(touch X)", "a\nb", "`touch X`", "-x y"])
def test_names_are_checked_by_the_config(value):
    for key in ("partition", "account", "time"):
        with pytest.raises(ValueError):
            launch(**{key: value})
    with pytest.raises(UserError, match="control character"):
        job_script("m", Path("a\nb"), launch())


HOSTILE = ["a;touch X", "$(touch X)", "`touch X`", 'it\'s "q" & | > <', "%j %%", "-rf", "中文 空格", "{run} {0}"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_paths_are_only_paths(slurm, tmp_path, monkeypatch, name):
    """The script runs, with stand-ins, in a folder and for an output of that name: nothing else is executed."""
    folder = tmp_path / name
    (folder / "run" / "slurm").mkdir(parents=True)
    monkeypatch.chdir(folder)
    done, tasks = play(slurm, folder, launch(lines=["--comment=$(touch X);touch X"]), codes="0")
    assert done == 0
    config = str(folder / "run" / "config.json")
    assert tasks[0]["argv"] == ["-P", "-m", "no_such_module", "--config", config]
    assert tasks[0]["cwd"] == str(folder)
    assert (tasks[0]["RANK"], tasks[0]["LOCAL_RANK"], tasks[0]["WORLD_SIZE"]) == ("3", "1", "4")
    assert tasks[0]["MASTER_ADDR"] == "nodea"
    assert not list(tmp_path.rglob("X"))
    options = (slurm / "srun-options").read_text().splitlines()
    logs = str(folder / "run").replace("%", "%%") + "/ranks/slurm-7-0/node-%n-rank-%t.log"
    assert f"--output={logs}" in options


def write_job(slurm: Path, output: Path, asked: SlurmLaunch, codes: str) -> tuple[Path, dict[str, str]]:
    """Write the script, with a task of ours in Python's place; return it and its environment."""
    (output / "run" / "slurm").mkdir(parents=True, exist_ok=True)
    (slurm / "codes").write_text(codes)
    (slurm / "task.py").write_text(TASK)
    fake = slurm / "python"
    fake.write_text(f'#!/usr/bin/env bash\nexec {sys.executable} "$HERE/task.py" "$@"\n')
    fake.chmod(0o755)
    script = output / "run" / "slurm" / "job.sh"
    script.write_text(job_script("no_such_module", output, asked).replace(sys.executable, str(fake)))
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    return script, {**os.environ, "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "node[a-b]"}


def play(slurm: Path, output: Path, asked: SlurmLaunch, codes: str) -> tuple[int, list[dict]]:
    """Run the script as Slurm would; return its exit code and what each task saw."""
    script, environment = write_job(slurm, output, asked, codes)
    (slurm / "tasks").unlink(missing_ok=True)
    done = subprocess.run(["bash", str(script)], env=environment, timeout=60, check=False, capture_output=True)
    return done.returncode, [json.loads(line) for line in (slurm / "tasks").read_text().splitlines()]


@pytest.mark.parametrize(
    ("codes", "ended", "tries"),
    [("137 1 0", 0, 3), ("137 1 1 0", 1, 3), ("2", 2, 1), ("75", 75, 1), ("143", 143, 1), ("0", 0, 1)],
)
def test_lost_ranks_start_again_and_errors_do_not(slurm, tmp_path, codes, ended, tries):
    done, tasks = play(slurm, tmp_path / "out", launch(restarts=2), codes)
    assert (done, len(tasks)) == (ended, tries)
    assert len({task["MASTER_PORT"] for task in tasks}) == tries
    assert not (slurm / "requeued").exists()


@pytest.mark.parametrize(("signum", "requeued"), [(signal.SIGUSR1, True), (signal.SIGTERM, False)])
def test_the_limit_requeues_and_scancel_does_not(slurm, tmp_path, signum, requeued):
    script, environment = write_job(slurm, tmp_path / "out", launch(restarts=5), "wait")
    job = subprocess.Popen(["bash", str(script)], env=environment)
    until = time.monotonic() + 30
    while not (slurm / "waiting").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    job.send_signal(signum)
    assert job.wait(timeout=30) == (0 if requeued else 143)
    assert (slurm / "requeued").exists() is requeued
    assert len((slurm / "tasks").read_text().splitlines()) == 1


def test_the_owner_on_a_lost_node_is_taken_away_and_another_is_not(slurm, tmp_path):
    inner = tmp_path / "out" / "run"
    (inner / "slurm").mkdir(parents=True)
    owner = inner / "owner.json"
    (inner / "slurm" / "nodes").write_text("nodex\nnodey\n")
    owner.write_text(json.dumps({"host": "nodey.cluster", "pid": 1}, indent=1))
    play(slurm, tmp_path / "out", launch(), "0")
    assert not owner.exists()
    assert (inner / "slurm" / "nodes").read_text() == "nodea\nnodeb\n"
    owner.write_text(json.dumps({"host": "elsewhere", "pid": 1}, indent=1))
    play(slurm, tmp_path / "out", launch(), "0")
    assert owner.exists()  # rank 0 is told so, and ends with 2
