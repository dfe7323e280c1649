"""Run a stage as the command line does, on a small world made for the test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cli
from utils.runs.stage import run_stage


def run(verb: str, config: dict[str, Any], directory: Path) -> int:
    """Write the config as YAML (JSON is YAML) beside its output, run the stage, return the exit code."""
    file = directory / f"{Path(config['output']).name}.yaml"
    file.write_text(json.dumps(config, default=str), encoding="utf-8")
    return run_stage(cli.STAGES[verb], ["--config", str(file), "--quiet"])


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows, one JSON object per line."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path
