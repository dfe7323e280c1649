"""One verb of the command line: the same way from a config to a manifest for every stage."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, cast

from utils.data.ledger import assert_balanced
from utils.errors import PosttrainError, UserError
from utils.execution.executor import cpu_count
from utils.runs.commit import disk_full_is_retryable, read_json, replace_json
from utils.runs.config import RunConfig, load_config, resolved
from utils.runs.directory import Run
from utils.runs.key import make_key
from utils.runs.leaving import leaving
from utils.runs.logs import redact, redact_tree
from utils.runs.manifest import digest, git_state, intact, outputs, versions
from utils.runs.signals import follow_parent

PARENT_VARIABLE = "POSTTRAIN_PARENT"
ATTEMPT_VARIABLE = "POSTTRAIN_ATTEMPT"
"""Set for ranks that our launcher started: the folder below `run/ranks/` where they report to the driver."""
QUARANTINE_EXIT = 3


class Submitted(Exception):
    """The run waits in a queue of another system, which will start it."""


class StageModule(Protocol):
    """What the module of a stage has to offer."""

    def inputs(self, config: RunConfig) -> list[Path]:
        """Return what is read: hashed into the run's key."""

    def dry_run(self, config: RunConfig) -> dict[str, Any]:
        """Return what `--dry-run` adds to the resolved config."""

    def work(self, run: Run, config: RunConfig) -> dict[str, Any]:
        """Do it; return `{"in", "kept", "dropped", "quarantined", "by_reason", …}`."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A verb, the dotted name of its config model, and the module with its work."""

    verb: str
    config: str
    module: str
    help: str = ""
    keyed_by_steps: bool = False
    """The run is made of steps with keys of their own; a changed config re-does what depends on it, no more."""

    def model(self) -> type[RunConfig]:
        """Return the config model; light to import."""
        module, _, name = self.config.partition(":")
        return cast("type[RunConfig]", getattr(importlib.import_module(module), name))

    def implementation(self) -> StageModule:
        """Return the module with the work; may be heavy to import."""
        return cast("StageModule", importlib.import_module(self.module))


def arguments(verb: str) -> argparse.ArgumentParser:
    """Return the parser that every stage shares."""
    parser = argparse.ArgumentParser(prog=f"posttrain {verb}", allow_abbrev=False)
    parser.add_argument("--config", type=Path, metavar="FILE", help="the YAML file with the knobs")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a key; repeatable")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, do nothing")
    parser.add_argument("--accept-changes", action="store_true", help="keep committed work although something changed")
    parser.add_argument("--json", action="store_true", help="the outcome as JSON on stdout")
    parser.add_argument("--quiet", action="store_true", help="only warnings on stderr")
    return parser


def run_stage(stage: Stage, argv: list[str]) -> int:
    """Run a stage from its command line; return the exit code."""
    parser = arguments(stage.verb)
    if "only" in stage.model().model_fields:
        parser.add_argument("--only", action="append", metavar="NAME", help="measure this one, and what it builds on")
    options = parser.parse_args(argv)
    if parent := os.environ.get(PARENT_VARIABLE):
        follow_parent(int(parent))
    try:
        wanted = [f"only={json.dumps(options.only)}"] if getattr(options, "only", None) else []
        config = load_config(stage.model(), options.config, [*options.set, *wanted])
        if options.dry_run:
            return _dry_run(stage, config)
        return _Attempt(stage, config, options, argv).go()
    except PosttrainError as error:
        return complain(stage.verb, error)
    except KeyboardInterrupt:
        return 130


def complain(verb: str, error: PosttrainError) -> int:
    """Print an error as one line; return its exit code."""
    print(redact(f"posttrain {verb}: {error}"), file=sys.stderr)  # noqa: T201
    return error.exit_code


def _dry_run(stage: Stage, config: RunConfig) -> int:
    shown: dict[str, Any] = {"command": f"posttrain {stage.verb}", "config": resolved(config)}
    if (leaves := leaving(config)) is not None:
        shown["leaves_host"] = leaves
    shown |= stage.implementation().dry_run(config)
    if hasattr(config, "launch"):
        from utils.training.launch import plan

        shown |= plan(stage, cast("Any", config))
    print(json.dumps(redact_tree(shown), ensure_ascii=False, indent=2, default=str))  # noqa: T201
    return 0


def _check_apart(inputs: list[Path], output: Path) -> None:
    """Refuse an output that lies in an input, or the other way round: a run would read what it writes."""
    out = output.resolve()
    for path in inputs:
        here = path.resolve()
        if here == out or out in here.parents or here in out.parents:
            mend = "choose an output elsewhere"
            raise UserError(f"input and output ({output}) lie inside each other", where=str(path), mend=mend)


class _Attempt:
    """One attempt of a run: opened, keyed, worked, sealed, closed, whatever happens."""

    def __init__(self, stage: Stage, config: RunConfig, options: argparse.Namespace, argv: list[str]) -> None:
        self.stage = stage
        self.config = config
        self.options = options
        self.argv = argv
        self.started = time.time()
        self.leader = int(os.environ.get("RANK") or 0) == 0
        self.run = Run(config, stage.verb, quiet=options.quiet or options.json, leader=self.leader)

    def go(self) -> int:
        """Do it all; return the exit code."""
        module = self.stage.implementation()
        if not self.leader or ATTEMPT_VARIABLE in os.environ:  # rank 0, or the driver of all ranks, owns the directory
            self.run.stop.install()
            return self._rank(module)
        inputs = module.inputs(self.config)
        _check_apart(inputs, self.config.output)
        with disk_full_is_retryable(self.run.path):
            self.run.open()
        state = "failed"
        try:
            with disk_full_is_retryable(self.run.path):
                code = self._keyed(module, inputs)
            state = "done"
        except Submitted as submitted:
            state = "submitted"
            self.run.log.info("%s", submitted)
            return 0
        except PosttrainError as error:
            state = "interrupted" if error.exit_code in {75, 130, 143} else "failed"
            self.run.log.error("%s", error)
            return error.exit_code
        except (SystemExit, KeyboardInterrupt) as error:  # a library's own handler, such as Ray's while it starts
            state = "interrupted"
            self.run.log.error("interrupted; what is committed stays → posttrain resume %s", self.run.path)
            return 130 if isinstance(error, KeyboardInterrupt) else 143
        except Exception:
            self.run.log.error("a defect of ours:\n%s", traceback.format_exc())
            return 1
        finally:
            self.run.close(state)
        return code

    def _rank(self, module: StageModule) -> int:
        """Work as a rank that owns nothing; return the exit code."""
        if ATTEMPT_VARIABLE not in os.environ:
            self._work(module)
            return 0
        from utils.training.launch import work_as_rank

        return work_as_rank(self.stage, module, self.run, cast("Any", self.config))

    def _work(self, module: StageModule) -> dict[str, Any]:
        """Do the work here, or let the launcher that a training config names start the processes that do it."""
        if not hasattr(self.config, "launch"):
            return module.work(self.run, self.config)
        from utils.training.launch import work

        return work(self.stage, module, self.run, cast("Any", self.config))

    def _keyed(self, module: StageModule, inputs: list[Path]) -> int:
        run = self.run
        key = make_key(self.config, inputs, self.stage.module)
        if parts := getattr(module, "key_parts", None):  # a stage made of steps: what they are is part of what it is
            key = replace(key, code={**key.code, **parts(self.config)})
        accept = self.options.accept_changes or self.stage.keyed_by_steps
        if accepts := getattr(module, "accepts", None):  # a stage that does what changed again, and nothing else
            accept = accept or accepts(run, self.config, key)
        same = run.check_key(key, accept_changes=accept)
        finished = read_json(run.path / "manifest.json")
        if finished is not None and same and not intact(run.path, finished):
            run.log.warning("outputs that %s lists are missing or cut; they are made again", run.path / "manifest.json")
        elif finished is not None and same:
            run.log.info("%s is done already (manifest.json, %s)", run.path, finished["finished"])
            return self._outcome(finished)
        replace_json(
            run.inner / "command.json", redact_tree({"verb": self.stage.verb, "argv": self.argv, "cwd": os.getcwd()})
        )
        replace_json(run.inner / "config.json", resolved(self.config))
        counts = self._work(module)
        run.stop_executor()
        run.stop.check()
        assert_balanced(counts)
        manifest = self._manifest(counts, key.hash, key.inputs, key.code)
        if report := getattr(module, "report", None):
            report(run, self.config, manifest)
        replace_json(run.path / "manifest.json", manifest)
        run.log.info("done: %s", ", ".join(f"{k} {v}" for k, v in counts.items() if isinstance(v, int)))
        return self._outcome(manifest)

    def _manifest(
        self, counts: dict[str, Any], key: str, inputs: list[dict[str, Any]], code: dict[str, str]
    ) -> dict[str, Any]:
        finished = time.time()
        manifest = {
            "verb": self.stage.verb,
            "name": self.config.name,
            "command": ["posttrain", *self.stage.verb.split(), *self.argv],
            "key": key,
            "config": resolved(self.config),
            "counts": counts,
            "exit_code": self._exit_code(counts),
            "inputs": inputs,
            "parents": list(dict.fromkeys(entry["run"] for entry in inputs if "run" in entry)),
            "outputs": outputs(self.run.path, self.run.seals()),
            "execution": self.run.execution or {"executor": "process", "workers": [f"pid-{os.getpid()}"], "tasks": 0},
            "lineage": read_json(self.run.inner / "lineage.json") or [],
            "seed": self.config.seed,
            "threads": os.environ.get("OMP_NUM_THREADS") or str(cpu_count()),
            "versions": versions(),
            "code": digest(code),
            "git": git_state(),
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(self.started)),
            "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(finished)),
            "seconds": round(finished - self.started, 3),
        }
        return cast("dict[str, Any]", redact_tree(manifest))

    def _exit_code(self, counts: dict[str, Any]) -> int:
        """Return 3 when more than `quarantine_limit` of the rows could not be read, else 0."""
        limit = getattr(self.config, "quarantine_limit", None)
        over = limit is not None and counts["in"] > 0 and counts["quarantined"] / counts["in"] > limit
        return QUARANTINE_EXIT if over else 0

    def _outcome(self, manifest: dict[str, Any]) -> int:
        counts = manifest["counts"]
        if manifest["exit_code"] == QUARANTINE_EXIT:
            text = "%d of %d rows are in quarantine/, over quarantine_limit"
            self.run.log.warning(text, counts["quarantined"], counts["in"])
        if self.options.json:
            print(json.dumps({"output": str(self.run.path), "counts": counts}, ensure_ascii=False))  # noqa: T201
        return int(manifest["exit_code"])
