"""A Slurm batch job: its script written into the run, submitted by `sbatch`, requeued before its limit.

Paths reach Slurm as arguments, and the script quoted for bash; `#SBATCH` lines hold only what the config has checked.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import posttrain_root
from utils.errors import StageFailedError, UserError
from utils.runs.commit import read_json, replace_json
from utils.runs.logs import redact
from utils.runs.stage import PARENT_VARIABLE, Submitted
from utils.training.config import SlurmLaunch

if TYPE_CHECKING:
    from utils.runs.directory import Run

_WARNED_S = 300
"""Before the job's limit: time to finish a step, write a checkpoint and go back into the queue."""

_BODY = r"""
set -u
cd -- {run}
export PYTHONPATH={root}${{PYTHONPATH:+:$PYTHONPATH}}
export OMP_NUM_THREADS="${{OMP_NUM_THREADS:-1}}"
unset {parent}
nodes="$(scontrol show hostnames "$SLURM_JOB_NODELIST")"
export MASTER_ADDR="${{nodes%%$'\n'*}}"
export MASTER_PORT=$((20000 + SLURM_JOB_ID % 10000))
logs="ranks/slurm-$SLURM_JOB_ID-${{SLURM_RESTART_COUNT:-0}}"
mkdir -p -- "$logs"

# Who submitted this job may still be leaving the run directory. A node that died cannot say that it has left: Slurm
# starts a job again only when its former processes are gone, so an owner on one of its former nodes is none.
if [[ -e slurm/nodes ]]; then
  while read -r node; do
    if grep -qsF "\"host\": \"$node" owner.json; then rm -f owner.json; fi
  done < slurm/nodes
fi
for _ in {{1..30}}; do [[ -e owner.json ]] || break; sleep 1; done
printf '%s\n' "$nodes" > slurm/nodes

cd -- {cwd}
step='' requeue=0 left={restarts}
trap 'requeue=1; [[ -z $step ]] || kill -TERM "$step"' USR1  # the limit is near
trap '[[ -z $step ]] || kill -TERM "$step"' TERM  # cancelled, or preempted by Slurm, which requeues by itself
while :; do
  # --wait, not --kill-on-bad-exit: a rank that stopped in an orderly way must not end rank 0 at its checkpoint
  srun --wait=120 --label --output={run_in_pattern}"/$logs/node-%n-rank-%t.log" \
    bash -c 'export RANK=$SLURM_PROCID LOCAL_RANK=$SLURM_LOCALID WORLD_SIZE=$SLURM_NTASKS; exec "$@"' rank \
    {command} &
  step=$!
  while kill -0 "$step" 2>/dev/null; do wait "$step"; done  # a signal interrupts wait
  wait "$step"
  code=$?
  case $code in 0 | 2 | 3 | 75) exit "$code" ;; esac  # done, or a try more would not help
  if ((requeue)); then scontrol requeue "$SLURM_JOB_ID"; exit; fi
  if ((code == 143 || left-- <= 0)); then exit "$code"; fi
  echo "a rank was lost (exit code $code): all start again from the newest complete checkpoint"
  MASTER_PORT=$((MASTER_PORT + 1))
done
"""


def submit(module: str, run: Run, launch: SlurmLaunch) -> NoReturn:
    """Write `run/slurm/job.sh` and hand it to `sbatch`.

    Raises:
        Submitted: it is in the queue.
        UserError: there is no Slurm here, or a job of this run is there already.
        StageFailedError: Slurm refused it.

    """
    folder = run.inner / "slurm"
    _refuse_second(folder)
    folder.mkdir(exist_ok=True)
    script = folder / "job.sh"
    script.write_text(job_script(module, run.path, launch), encoding="utf-8")
    try:
        done = subprocess.run(sbatch_command(run.path), capture_output=True, text=True, timeout=120, check=False)
    except FileNotFoundError as error:
        raise UserError("there is no sbatch here", mend=f"submit {script} where Slurm is") from error
    job = re.fullmatch(r"(\d+)(;[\w.-]+)?\s*", done.stdout)
    if done.returncode or job is None:
        said = redact((done.stderr or done.stdout).strip()[-500:])
        raise StageFailedError(f"sbatch failed with {done.returncode}: {said}", where=str(script))
    replace_json(folder / "job.json", {"job": job[1]})
    raise Submitted(f"job {job[1]} is in Slurm's queue; its logs: {run.inner / 'ranks'}; to end it: scancel {job[1]}")


def sbatch_command(output: Path) -> list[str]:
    """Return the argument list that submits the script of a run."""
    inner = (output / "run").absolute()
    log = _pattern(inner / "slurm" / "job-%j.log", keep="%j")
    return ["sbatch", "--parsable", f"--chdir={os.getcwd()}", f"--output={log}", str(inner / "slurm" / "job.sh")]


def job_script(module: str, output: Path, launch: SlurmLaunch) -> str:
    """Return the batch script.

    Raises:
        UserError: a line of the config, or a path, holds a line break or another control character.

    """
    inner = (output / "run").absolute()
    for text in (*launch.lines, str(inner), os.getcwd()):
        if not text.isprintable():
            raise UserError(f"{text!r} holds a control character", where="launch", mend="batch scripts take none")
    options = {
        "job-name": "posttrain",
        "nodes": launch.nodes,
        "ntasks-per-node": launch.processes,
        "time": launch.time,
        "partition": launch.partition,
        "account": launch.account,
        "signal": f"B:USR1@{_WARNED_S}",
        "open-mode": "append",
    }
    head = [f"--{name}={value}" for name, value in options.items() if value is not None]
    command = [sys.executable, "-P", "-m", module, "--config", str(inner / "config.json")]
    body = _BODY.format(
        run=shlex.quote(str(inner)),
        run_in_pattern=shlex.quote(_pattern(inner)),
        root=shlex.quote(str(posttrain_root.ROOT)),
        cwd=shlex.quote(os.getcwd()),
        parent=PARENT_VARIABLE,
        restarts=launch.restarts,
        command=shlex.join(command),
    )
    return "\n".join(
        ["#!/usr/bin/env bash", *(f"#SBATCH {line}" for line in [*head, "--requeue", *launch.lines]), body]
    )


def _pattern(path: Path, keep: str = "") -> str:
    """Return a path as Slurm's file name patterns write it: a percent sign doubled, but for the one that is meant."""
    text = str(path).replace("%", "%%")
    return text.replace(f"%{keep}", keep) if keep else text


def _refuse_second(folder: Path) -> None:
    """Refuse to submit while an earlier job of this run waits or runs."""
    job = (read_json(folder / "job.json") or {}).get("job")
    if job is None:
        return
    try:
        asked = ["squeue", "--noheader", "--format=%T", f"--jobs={job}"]
        state = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False).stdout.strip()
    except FileNotFoundError:
        return
    if state:
        raise UserError(f"job {job} of this run is {state.lower()}", mend=f"wait, or: scancel {job}")
