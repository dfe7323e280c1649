"""Every shipped configuration loads, and says in its first lines how to run it."""

from __future__ import annotations

import importlib
import shlex
from pathlib import Path

import pytest

import cli
from utils.runs.config import load_config

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / "configs"
VERB_OF_FOLDER = {
    "cleaning": "clean",
    "attributes": "attributes",
    "tier": "tier",
    "sft": "sft",
    "dpo": "dpo",
    "candidates": "candidates",
    "generate": "generate",
    "judge": "judge",
    "pairs": "pairs",
    "evaluate": "evaluate",
    "rounds": "rounds",
    "view": "view",
    "self-instruct": "self-instruct",
    "card": "card",
    "export": "export",
}
POLICIES = sorted((CONFIGS / "cleaning" / "policies").rglob("*.yaml"))
TAG_RULES = sorted((CONFIGS / "attributes" / "tags").glob("*.yaml"))
FILES = [file for file in sorted(CONFIGS.rglob("*.yaml")) if file not in POLICIES + TAG_RULES]


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


def header(file: Path) -> list[str]:
    """Return the text of the comment that the file begins with."""
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").rstrip())
    return lines


def test_there_are_configs_and_no_other_kind_of_file() -> None:
    assert FILES
    homes = {
        ".txt": CONFIGS / "cleaning" / "blacklists",
        ".md": CONFIGS / "attributes" / "rubrics",
        ".json": CONFIGS / "deepspeed",
    }
    others = [file for file in CONFIGS.rglob("*") if file.is_file() and file.suffix != ".yaml"]
    assert not [named(file) for file in others if homes.get(file.suffix) not in file.parents]


@pytest.mark.parametrize("file", FILES, ids=named)
def test_config_loads(file: Path) -> None:
    folder = file.relative_to(CONFIGS).parts[0]
    assert folder in VERB_OF_FOLDER, f"{named(file)}: no verb is known for configs/{folder}/"
    module, _, name = cli.STAGES[VERB_OF_FOLDER[folder]].config.partition(":")
    model = getattr(importlib.import_module(module), name)
    assert isinstance(load_config(model, file, overrides=[]), model)


@pytest.mark.parametrize("file", FILES, ids=named)
def test_config_begins_with_its_command_and_an_override(file: Path) -> None:
    """The comment holds a command line that names this file, and one with `--set key=value`."""
    commands = [line for line in header(file) if named(file) in line]
    assert commands, f"{named(file)}: its first comment does not name the command that runs it"
    for command in commands:
        words = shlex.split(command)
        assert words[0] in {"bash", "posttrain", ".venv/bin/posttrain"}, command
    assert any("--set " in line and "=" in line for line in header(file)), f"{named(file)}: no --set example"


@pytest.mark.parametrize("file", POLICIES, ids=named)
def test_policy_loads(file: Path) -> None:
    from cleaning.policy import load_policy

    assert load_policy(file) is not None
