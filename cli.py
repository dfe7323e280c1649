"""The `posttrain` command: every verb, and the one place where they meet.

Nothing heavy is imported here: a verb's own packages are imported when it runs.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import posttrain_root  # noqa: F401  first: puts our folder before a foreign utils/
from utils.errors import PosttrainError, UserError, nearest
from utils.runs.stage import Stage, complain, run_stage

_PIPELINE = "data_pipeline"
_ALL = (
    Stage("clean", "cleaning.config:CleanConfig", "cleaning.run", "raw files → good/ bad/ quarantine/ ledger/"),
    Stage(
        "attributes",
        f"{_PIPELINE}.attributes.config:AttributesConfig",
        f"{_PIPELINE}.attributes.run",
        "statistics, embeddings and clusters beside the rows",
    ),
    Stage("tier", f"{_PIPELINE}.tier.config:TierConfig", f"{_PIPELINE}.tier.run", "rows → SFT tiers and seeds"),
    Stage("view", f"{_PIPELINE}.view.config:ViewConfig", f"{_PIPELINE}.view.run", "measured rows → a map to look at"),
    Stage(
        "candidates",
        f"{_PIPELINE}.candidates.config:CandidatesConfig",
        f"{_PIPELINE}.candidates.run",
        "many models answer the seeds",
    ),
    Stage("judge", f"{_PIPELINE}.judges.config:JudgeConfig", f"{_PIPELINE}.judges.run", "judges score the answers"),
    Stage("pairs", f"{_PIPELINE}.pairs.config:PairsConfig", f"{_PIPELINE}.pairs.run", "judged answers → pairs"),
    Stage("sft", "postraining_sft.config:SftConfig", "postraining_sft.train", "supervised fine-tuning"),
    Stage("dpo", "postraining_dpo.config:DpoConfig", "postraining_dpo.train", "direct preference optimisation"),
    Stage("rounds", "rounds.config:RoundsConfig", "rounds.run", "rounds of SFT and DPO", keyed_by_steps=True),
    Stage(
        "generate",
        f"{_PIPELINE}.generate.config:GenerateConfig",
        f"{_PIPELINE}.generate.run",
        "a model answers a file of prompts",
    ),
    Stage(
        "evaluate",
        f"{_PIPELINE}.evaluate.config:EvaluateConfig",
        f"{_PIPELINE}.evaluate.run",
        "models on held-out prompts, with intervals",
    ),
    Stage("card", f"{_PIPELINE}.card.config:CardConfig", f"{_PIPELINE}.card.run", "what is in a data set, and why"),
    Stage(
        "export",
        f"{_PIPELINE}.exports.config:ExportConfig",
        f"{_PIPELINE}.exports.run",
        "rows of known licence → files of another trainer",
    ),
    Stage(
        "import",
        f"{_PIPELINE}.exports.config:ImportConfig",
        f"{_PIPELINE}.exports.imports",
        "files of another trainer → rows with ids",
    ),
    Stage(
        "self-instruct",
        f"{_PIPELINE}.self_instruct.config:SelfInstructConfig",
        f"{_PIPELINE}.self_instruct.run",
        "new instructions from seed tasks",
    ),
)
_INITIAL = (
    Stage("init sample", "rounds.sample:SampleConfig", "rounds.sample", "rows with planted dirt, and the truth"),
    Stage("init tiny-model", "utils.models.config:TinyModelConfig", "utils.models.tiny_run", "a Llama for two cores"),
)
STAGES = {stage.verb: stage for stage in _ALL}
INITIALS = {stage.verb.partition(" ")[2]: stage for stage in _INITIAL}
EVERY_STAGE = {stage.verb: stage for stage in (*_ALL, *_INITIAL)}


def main(argv: list[str]) -> int:
    """Run the command line; return the exit code."""
    verbs = [*STAGES, *COMMANDS]
    if not argv or argv[0] in {"-h", "--help"}:
        _say(_overview())
        return 0 if argv else 2
    verb, rest = argv[0], argv[1:]
    if verb not in verbs:
        mend = nearest(verb, verbs) or "posttrain --help lists them"
        return complain("", UserError(f"unknown verb {verb!r}", mend=mend))
    if (verb, "--preview") in SUBCOMMANDS and "--preview" in rest:  # an option may stand anywhere
        rest = ["--preview", *(word for word in rest if word != "--preview")]
    try:
        if rest and (verb, rest[0]) in SUBCOMMANDS:
            return _named(SUBCOMMANDS[verb, rest[0]])(rest[1:])
        return run_stage(STAGES[verb], rest) if verb in STAGES else COMMANDS[verb][0](rest)
    except PosttrainError as error:
        return complain(verb, error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _named(function: str) -> Callable[[list[str]], int]:
    """Return the function of `module:name`."""
    module, _, name = function.partition(":")
    found: Callable[[list[str]], int] = getattr(importlib.import_module(module), name)
    return found


def _overview() -> str:
    lines = ["posttrain VERB [--config FILE] [--set KEY=VALUE …] [--dry-run]", ""]
    lines += [f"  {stage.verb:<11} {stage.help}" for stage in STAGES.values()]
    lines += [f"  {verb:<11} {text}" for verb, (_, text) in COMMANDS.items()]
    lines += ["", *(f"  {verb} {word}" for verb, word in SUBCOMMANDS)]
    return "\n".join([*lines, "", "posttrain VERB --help says more."])


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _table(rows: list[dict[str, Any]]) -> str:
    """Return rows as aligned text columns."""
    if not rows:
        return "nothing"
    shown = [list(rows[0]), *[[("" if v is None else str(v)) for v in row.values()] for row in rows]]
    widths = [max(len(line[column]) for line in shown) for column in range(len(shown[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in shown)


def _parser(verb: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"posttrain {verb}", description=COMMANDS[verb][1], allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="JSON on stdout")
    return parser


def _show(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    _say(json.dumps(rows, ensure_ascii=False, indent=2) if as_json else _table(rows))


def status(argv: list[str]) -> int:
    """List runs and how they stand."""
    from utils.runs.control import find_runs, status_of

    parser = _parser("status")
    parser.add_argument("run", nargs="*", type=Path, help="run directories or folders of runs; default: runs/")
    options = parser.parse_args(argv)
    for root in options.run:
        if not root.is_dir():
            raise UserError("no such directory", where=str(root))
    _show([status_of(root) for root in find_runs(options.run or [Path("runs")])], as_json=options.json)
    return 0


def resume(argv: list[str]) -> int:
    """Continue an interrupted run."""
    from utils.runs.control import resume_arguments

    parser = _parser("resume")
    parser.add_argument("run", type=Path)
    parser.add_argument("--accept-changes", action="store_true", help="keep committed work although something changed")
    options = parser.parse_args(argv)
    verb, arguments = resume_arguments(options.run)
    return run_stage(EVERY_STAGE[verb], [*arguments, *(["--accept-changes"] if options.accept_changes else [])])


def stop(argv: list[str]) -> int:
    """Stop runs on this host: the named ones, else all that this user started from this checkout."""
    from utils.runs.control import stop_all

    parser = _parser("stop")
    parser.add_argument("run", nargs="*", type=Path)
    parser.add_argument("--grace", type=float, default=60, metavar="SECONDS", help="time to commit what is in work")
    options = parser.parse_args(argv)
    _show(stop_all(options.run, grace_s=options.grace), as_json=options.json)
    return 0


def doctor(argv: list[str]) -> int:
    """Say what this machine can carry."""
    from utils.runs.doctor import checks

    parser = _parser("doctor")
    parser.add_argument("directory", nargs="?", type=Path, default=Path(), help="where runs would be made")
    options = parser.parse_args(argv)
    if not options.directory.is_dir():
        raise UserError("no such directory", where=str(options.directory))
    found = [
        {"check": what, "ok": {True: "ok", False: "FAIL", None: "not here"}[fine], "detail": text}
        for what, fine, text in checks(options.directory)
    ]
    _show(found, as_json=options.json)
    return 1 if any(row["ok"] == "FAIL" for row in found) else 0


def why(argv: list[str]) -> int:
    """Tell the story of a row: every decision from the raw file to the checkpoint."""
    from rounds.why import story, told

    parser = _parser("why")
    parser.add_argument("id", help="a row's id (clean_id), or its beginning")
    parser.add_argument("--run", action="append", type=Path, help="where to look; default: runs/")
    parser.add_argument("--diff", action="store_true", help="show what each cleaning rule did to it")
    options = parser.parse_args(argv)
    roots = options.run or [Path("runs")]
    events = story(options.id, roots)
    if not options.json:
        _say(told(events))
    if options.diff:
        from cleaning.commands import difference

        for event in {event["run"]: event for event in events if event["stage"] == "clean"}.values():
            event["diff"] = list(difference(Path(event["run"]), event["id"]))
            if not options.json:
                _say("\n".join(event["diff"]))
    if options.json:
        _say(json.dumps(events, ensure_ascii=False, indent=2))
    return 0


def report(argv: list[str]) -> int:
    """Draw a finished run's report again."""
    from utils.runs.commit import read_json
    from utils.runs.config import load_config, output_override
    from utils.runs.directory import Run

    parser = _parser("report")
    parser.add_argument("run", type=Path)
    options = parser.parse_args(argv)
    manifest = read_json(options.run / "manifest.json")
    if manifest is None:
        raise UserError("no finished run there", where=str(options.run), mend="posttrain status lists runs")
    stage = EVERY_STAGE.get(manifest.get("verb", "")) if isinstance(manifest, dict) else None
    if stage is None:
        raise UserError("that manifest.json is none of ours", where=str(options.run))
    draw = getattr(stage.implementation(), "report", None)
    if draw is None:
        raise UserError(f"posttrain {stage.verb} draws no report of its own", where=str(options.run))
    config = load_config(stage.model(), options.run / "run" / "config.json", [output_override(options.run)])
    draw(Run(config, stage.verb, quiet=True), config, manifest)
    _say(str(options.run / "report.html"))
    return 0


def chat(argv: list[str]) -> int:
    """Talk with a model."""
    return _named(f"{_PIPELINE}.generate.chat:main")(argv)


def init(argv: list[str]) -> int:
    """Make something to begin with: a tiny model, a sample with dirt in it, a config's JSON Schema."""
    parser = argparse.ArgumentParser(prog="posttrain init", description=COMMANDS["init"][1], allow_abbrev=False)
    parser.add_argument("what", choices=[*INITIALS, "schema"])
    options, rest = parser.parse_known_args(argv)
    if options.what != "schema":
        return run_stage(INITIALS[options.what], rest)
    verb = " ".join(rest)
    if verb not in EVERY_STAGE:
        raise UserError(f"no stage {verb!r}", mend="one of: " + ", ".join(EVERY_STAGE))
    _say(json.dumps(EVERY_STAGE[verb].model().model_json_schema(), ensure_ascii=False, indent=2))
    return 0


def _steps_on_stdin() -> list[dict[str, Any]]:
    try:
        steps = json.load(sys.stdin)
        return [{"name": step["name"], "verb": step["verb"], "config": dict(step["config"])} for step in steps]
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"not a JSON list of {{name, verb, config}}: {error}", where="stdin") from error


def check(argv: list[str]) -> int:
    """Validate configs before anything runs: a JSON list of `{name, verb, config}` on stdin.

    Prints what decides the steps' outputs: `{"code": {verb: hash}, "configs": {step: resolved}, "paths": {step: […]}}`,
    and beside it `leaves_host`: `{step: {place in the config: what goes where}}`.
    """
    from utils.runs.config import decisive, paths_in, validated
    from utils.runs.leaving import leaving
    from utils.runs.manifest import code_files, digest

    _parser("check").parse_args(argv)
    code, configs, paths, leaves = {}, {}, {}, {}
    for step in _steps_on_stdin():
        if step["verb"] not in EVERY_STAGE:
            raise UserError(f"no stage {step['verb']!r}", where=step["name"])
        stage = EVERY_STAGE[step["verb"]]
        config = validated(stage.model(), {**step["config"], "output": "output"}, where=f"step {step['name']}")
        configs[step["name"]] = decisive(config)
        paths[step["name"]] = sorted({str(path) for path in paths_in(config)} - {"output"})
        code[step["verb"]] = digest(code_files(stage.module))
        leaves[step["name"]] = leaving(config)
    _say(json.dumps({"code": code, "configs": configs, "paths": paths, "leaves_host": leaves}))
    return 0


SUBCOMMANDS = {
    ("clean", "sample"): "cleaning.commands:sample",
    ("clean", "review"): "cleaning.commands:review",
    ("clean", "convert"): "cleaning.convert:run",
    ("attributes", "fit"): "data_pipeline.scorers.commands:fit",
    ("attributes", "score"): "data_pipeline.scorers.commands:score",
    ("tier", "replay"): f"{_PIPELINE}.tier.replay:command",
    ("sft", "merge"): "postraining_sft.merge:command",
    ("sft", "export"): "postraining_sft.export:command",
    ("sft", "--preview"): "postraining_sft.preview:preview",
    ("self-instruct", "--preview"): "data_pipeline.self_instruct.forecast:preview",
}

COMMANDS: dict[str, tuple[Callable[[list[str]], int], str]] = {
    "chat": (chat, "talk with a model in the terminal"),
    "init": (init, "make a tiny model, a sample, or print a config's JSON Schema"),
    "report": (report, "draw a finished run's report again"),
    "why": (why, "tell the story of a row"),
    "status": (status, "list runs and how they stand"),
    "resume": (resume, "continue an interrupted run"),
    "stop": (stop, "stop runs of ours on this host"),
    "check": (check, "validate the configs of a plan, given on stdin"),
    "doctor": (doctor, "say what this machine can carry"),
}
