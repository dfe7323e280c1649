"""The rounds: the plan, carried out one command at a time.

A step's directory is named by what goes into it (its keys, its code, the addresses of the steps before it), so done
steps are found again and a change re-does exactly what depends on it.
"""

from __future__ import annotations

import glob
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import posttrain_root
from rounds.config import RoundsConfig
from rounds.plan import Step, mapped, plan
from rounds.report import draw
from utils.errors import InterruptedRunError, RetryLaterError, StageFailedError, UserError
from utils.runs.commit import read_json, replace_json
from utils.runs.directory import Run
from utils.runs.manifest import digest, fingerprint, intact
from utils.runs.stage import PARENT_VARIABLE, QUARANTINE_EXIT

_POLL_S = 0.1


def inputs(config: RoundsConfig) -> list[Path]:
    """Return the files from outside that any step reads."""
    facts = check(plan(config))
    return sorted({path for paths in facts.outside.values() for path in paths})


def key_parts(config: RoundsConfig) -> dict[str, str]:
    """Return the address of every step: a run is done when these steps are, and other steps make another run."""
    steps = plan(config)
    places = addresses(steps, check(steps), config.output)
    return {f"step {name}": place.name for name, place in places.items()}


def dry_run(config: RoundsConfig) -> dict[str, Any]:
    """Return the plan: each step, what it needs, where it goes, whether it is done."""
    steps = plan(config)
    facts = check(steps)
    places = addresses(steps, facts, config.output)
    shown: dict[str, Any] = {"plan": [_shown(step, places, config.output) for step in steps]}
    if facts.leaves_host:
        shown["leaves_host"] = facts.leaves_host
    return shown


def _shown(step: Step, places: dict[str, Path], root: Path) -> dict[str, Any]:
    words = ["posttrain", *step.verb.split(), "--config", str(_config_of(root / "run", step))]
    state = "done" if _done(places[step.name]) else "to do"
    return {
        "step": step.name,
        "state": state,
        "needs": list(step.needs),
        "run": str(places[step.name]),
        "command": words,
    }


def _config_of(inner: Path, step: Step) -> Path:
    return inner / "steps" / f"{step.name}.json"


def work(run: Run, config: RoundsConfig) -> dict[str, Any]:
    """Carry out the plan."""
    steps = plan(config)
    places = addresses(steps, check(steps), run.path)
    replace_json(run.path / "steps.json", {step.name: places[step.name].name for step in steps})
    for number, step in enumerate(steps, start=1):
        run.stop.check()
        place = places[step.name]
        if _done(place):
            run.log.info("%d/%d %s: done before", number, len(steps), step.name)
            continue
        started = time.monotonic()
        _carry_out(run, step, places)
        run.log.info("%d/%d %s: %.1f s", number, len(steps), step.name, time.monotonic() - started)
    return {"in": len(steps), "kept": len(steps), "dropped": 0, "quarantined": 0, "by_reason": {}}


def report(run: Run, config: RoundsConfig, manifest: dict[str, Any]) -> None:
    """Draw `report.html`."""
    draw(run, config, manifest)


@dataclass(frozen=True, slots=True)
class Facts:
    """What decides the outputs of steps, as the stages themselves say it.

    Attributes:
        code: hash of the code of each verb.
        configs: each step's resolved config, without what decides only where and how fast.
        outside: for each step, the existing files and folders it reads that no step makes.
        leaves_host: for each step that asks a model, which data goes to which other host.

    """

    code: dict[str, str]
    configs: dict[str, Any]
    outside: dict[str, list[Path]]
    leaves_host: dict[str, dict[str, str]]


def check(steps: list[Step]) -> Facts:
    """Validate every step's config before the first one runs, and learn what decides the steps' outputs.

    Done by a command, because only the command line knows all stages.

    Raises:
        UserError: a config is wrong; the message names the step.

    """
    wanted = [{"name": step.name, "verb": step.verb, "config": step.config} for step in steps]
    return _checked(json.dumps(wanted))


@cache
def _checked(wanted: str) -> Facts:
    # A session of its own: Ctrl-C on the terminal reaches only us.
    done = subprocess.run(
        [*_posttrain(), "check"], input=wanted, capture_output=True, text=True, check=False, start_new_session=True
    )
    if done.returncode == UserError.exit_code:
        raise UserError(done.stderr.strip().removeprefix("posttrain check: "))
    if done.returncode:
        raise StageFailedError(f"posttrain check failed: {done.stderr.strip()[-500:]}")
    found = json.loads(done.stdout)
    outside = {name: _existing(paths) for name, paths in found["paths"].items()}
    leaves = {name: said for name, said in found["leaves_host"].items() if said is not None}
    return Facts(found["code"], found["configs"], outside, leaves)


def _existing(paths: list[str]) -> list[Path]:
    """Return the paths that exist; a glob counts by its files, a step's own output does not exist yet."""
    outside = [path for path in paths if "{" not in path]
    found = {path: [path] if Path(path).exists() else sorted(glob.glob(path, recursive=True)) for path in outside}
    return [Path(name) for names in found.values() for name in names]


def addresses(steps: list[Step], facts: Facts, root: Path) -> dict[str, Path]:
    """Return the directory of each step: its name, and a hash of all that goes into it."""
    seals = {path: fingerprint(path)["sha256"] for paths in facts.outside.values() for path in paths}
    hashes: dict[str, str] = {}
    for step in steps:
        contents = [seals[path] for path in facts.outside[step.name]]
        needed = [hashes[name] for name in step.needs]
        parts = [step.verb, facts.configs[step.name], facts.code[step.verb], contents, needed]
        hashes[step.name] = digest(parts)[:8]
    return {step.name: root / "steps" / f"{step.name}-{hashes[step.name]}" for step in steps}


def command(step: Step, config: Path) -> list[str]:
    """Return the command of a step."""
    return [*_posttrain(), *step.verb.split(), "--config", str(config)]


def _posttrain() -> list[str]:
    return [sys.executable, "-P", str(posttrain_root.ROOT / "posttrain.py")]


def _done(place: Path) -> bool:
    manifest = read_json(place / "manifest.json")
    return manifest is not None and intact(place, manifest)


def _carry_out(run: Run, step: Step, places: dict[str, Path]) -> None:
    """Write the step's config, run its command, translate its exit code."""

    def to_place(text: str) -> str:
        for name in step.needs:
            text = text.replace(f"{{{name}}}", str(places[name]))
        return text

    path = _config_of(run.inner, step)
    replace_json(path, {**mapped(step.config, to_place), "output": str(places[step.name])})
    environment = {**os.environ, PARENT_VARIABLE: str(os.getpid())}
    # A session of its own: Ctrl-C on the terminal reaches only us, and we pass it on once.
    with subprocess.Popen(command(step, path), env=environment, start_new_session=True) as child:
        code = _wait(run, child)
    if code not in {0, QUARANTINE_EXIT}:
        raise _failure(code, step, places[step.name])


def _wait(run: Run, child: subprocess.Popen[bytes]) -> int:
    told = False
    while (code := child.poll()) is None:
        run.processes.add_children("step")
        if run.stop.requested and not told:
            child.send_signal(signal.SIGTERM)
            told = True
        time.sleep(_POLL_S)
    return code


def _failure(code: int, step: Step, place: Path) -> Exception:
    where, mend = f"step {step.name}", f"its log: {place}/run/log.txt; then the same command again"
    if code in {130, 143}:
        return InterruptedRunError("interrupted; done steps stay", where=where, signum=code - 128)
    if code == RetryLaterError.exit_code:
        return RetryLaterError("the step asks to be tried again later", where=where, mend=mend)
    if code == UserError.exit_code:
        return UserError("the step refused its config or input (above)", where=where, mend=mend)
    return StageFailedError(f"the step ended with exit code {code}", where=where, mend=mend)
