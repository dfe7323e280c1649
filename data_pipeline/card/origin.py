"""How the rows were made: the runs that led to them, by their manifests, and what cleaning did about personal data."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from utils.data.inputs import find_files
from utils.runs.commit import read_json
from utils.runs.manifest import run_of


def lineage(paths: list[Path]) -> list[tuple[Path, dict[str, Any] | None]]:
    """Return the runs that made these inputs and theirs, earliest first; None for one that lies there no more."""
    found: dict[Path, dict[str, Any] | None] = {}
    waiting = [run.resolve() for run in map(run_of, paths) if run is not None]
    while waiting:
        run = waiting.pop()
        if run not in found:
            manifest = read_json(run / "manifest.json")
            found[run] = manifest
            waiting += [Path(parent) for parent in (manifest or {}).get("parents", [])]
    return sorted(found.items(), key=lambda item: ((item[1] or {}).get("started", ""), str(item[0])))


_ABSOLUTE = re.compile(r"(?<![\w.~*-])/(?:[^\s,:=\[\]{}'\"]+/)+[^\s,:=\[\]{}'\"]+")


def made(runs: list[tuple[Path, dict[str, Any] | None]]) -> list[dict[str, Any]]:
    """Return what a reader needs to make the rows again: commands, code, inputs, counts. Paths by their last parts."""
    return [_told(run, manifest) for run, manifest in runs]


def _told(run: Path, manifest: dict[str, Any] | None) -> dict[str, Any]:
    about = {"run": "/".join(run.parts[-2:])}
    if manifest is None:
        return {**about, "verb": None}
    inputs = [{"path": Path(one["path"]).name, "sha256": one["sha256"]} for one in manifest["inputs"]]
    git = manifest.get("git") or {}
    return {
        **about,
        "verb": manifest["verb"],
        "command": [_ABSOLUTE.sub(_last_parts, word) for word in manifest["command"]],
        "counts": {key: manifest["counts"][key] for key in ("in", "kept", "dropped", "quarantined")},
        "by_reason": manifest["counts"].get("by_reason") or {},
        "code": manifest["code"],
        "key": manifest["key"],
        "git_commit": git.get("commit"),
        "seed": manifest["seed"],
        "inputs": inputs,
        "parents": ["/".join(Path(parent).parts[-2:]) for parent in manifest["parents"]],
        "finished": manifest["finished"],
    }


def _last_parts(found: re.Match[str]) -> str:
    """Return the end of an absolute path: a card goes out of the house, the folders of a machine do not."""
    return "…/" + "/".join(found[0].split("/")[-2:])


def duplicates(runs: list[tuple[Path, dict[str, Any] | None]]) -> dict[str, int]:
    """Return how many rows were dropped as duplicates by these runs, by reason."""
    found: Counter[str] = Counter()
    for _, manifest in runs:
        reasons = ((manifest or {}).get("counts") or {}).get("by_reason") or {}
        found.update({reason: rows for reason, rows in reasons.items() if "duplicate" in reason})
    return by_number(found)


def replaced(runs: list[tuple[Path, dict[str, Any] | None]]) -> dict[str, int] | None:
    """Return how much personal data of each kind cleaning replaced, in all rows that it read.

    None when no cleaning run is known: then nobody counted.
    """
    cleaned = [run for run, manifest in runs if manifest is not None and manifest["verb"] == "clean"]
    if not cleaned:
        return None
    kinds: Counter[str] = Counter()
    for run in cleaned:
        for report in sorted((run / "run" / "reports").glob("first-*.json")):
            for of_rule in (read_json(report) or {}).get("kinds", {}).values():
                kinds.update(of_rule)
    return by_number(kinds)


def input_paths(given: Path) -> list[Path]:
    """Return an input's path, of a glob its files."""
    return [given] if given.exists() else [file.path for file in find_files(given)]


def by_number(counts: Counter[str]) -> dict[str, int]:
    """Return counts, the largest first, equal ones by name."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
