"""What a run is made of: fingerprints of its inputs, the hash of its code, the versions under it.

`manifest.json` is written last; a run without it is not done.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import posttrain_root
from utils.errors import UserError
from utils.runs.commit import read_json, sha256_file

OWN_PACKAGES = ("utils", "cleaning", "data_pipeline", "postraining_sft", "postraining_dpo", "rounds")
_WITHOUT_EFFECT = re.compile(
    r"cli|posttrain(_root)?|utils\.report(?!\.intervals)(\..*)?|utils\.training\.(launchers(\..*)?|estimate)|.*\.report"
)
LIBRARIES = (
    "torch",
    "transformers",
    "trl",
    "accelerate",
    "peft",
    "deepspeed",
    "datasets",
    "ray",
    "datasketch",
    "sentence-transformers",
    "scikit-learn",
    "numpy",
    "pyarrow",
    "polars",
    "orjson",
    "pydantic",
)


def digest(value: Any) -> str:
    """Return the BLAKE2b-128 hex of a JSON-able value, key order ignored."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def fingerprint(path: Path) -> dict[str, Any]:
    """Return what identifies an input: `{"path", "sha256", "bytes", "directory"}`, and its `"run"` when it is ours.

    A finished run counts by its outputs, a directory by all its files, a file by its bytes.

    Raises:
        UserError: there is no such input, or it belongs to an unfinished run.

    """
    if not path.exists():
        raise UserError("no such input", where=str(path), mend=f"relative paths start at {os.getcwd()}")
    run = run_of(path)
    if run == path:
        sha256, size = _outputs_of(path)
    elif path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
        sha256 = digest([(p.relative_to(path).as_posix(), sha256_file(p)) for p in files])
        size = sum(p.stat().st_size for p in files)
    else:
        sha256, size = sha256_file(path), path.stat().st_size
    entry = {"path": str(path), "sha256": sha256, "bytes": size, "directory": path.is_dir()}
    return entry if run is None else {**entry, "run": str(run.resolve())}


def run_of(path: Path) -> Path | None:
    """Return the run directory that a path is, or lies in; None for files that no run of ours made.

    Raises:
        UserError: that run is not finished.

    """
    for folder in (path, *path.parents):
        if (folder / "run" / "key.json").exists():
            if not (folder / "manifest.json").exists():
                raise UserError("this input's run is not finished", where=str(path), mend=f"posttrain resume {folder}")
            return folder
    return None


def _outputs_of(run: Path) -> tuple[str, int]:
    outputs = read_json(run / "manifest.json")["outputs"]
    # The training log is told differently after a resume (means over fewer steps); what it tells of is the same.
    seals = sorted((relative, seal["sha256"]) for relative, seal in outputs.items() if relative != "metrics.jsonl")
    return digest(seals), sum(seal["bytes"] for seal in outputs.values())


@cache
def code_files(module: str) -> dict[str, str]:
    """Return `{file: sha256}` of the modules of ours that a module imports, itself included, at any depth.

    Found in the source (imports inside functions count), so nothing is executed. Chat templates beside a module count
    with it. Reports and the command line are left out: they cannot change a result.
    """
    found: dict[str, str] = {}
    waiting, seen = [module], set()
    while waiting:
        name = waiting.pop()
        if name in seen or _WITHOUT_EFFECT.fullmatch(name):
            continue
        seen.add(name)
        path = _source_of(name)
        if path is None:
            continue
        for file in (path, *path.parent.glob("templates/*.jinja")):
            found[file.relative_to(posttrain_root.ROOT).as_posix()] = sha256_file(file)
        waiting += _imports(path, name)
    return dict(sorted(found.items()))


def _source_of(name: str) -> Path | None:
    base = posttrain_root.ROOT.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _imports(path: Path, name: str) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and ":" in node.value[:80]:
            names.append(node.value.partition(":")[0])  # a job, "cleaning.first_pass:first_pass"
    ours = [n for n in names if n.partition(".")[0] in OWN_PACKAGES]
    return ours + [n.rpartition(".")[0] for n in ours if "." in n] + [name.partition(".")[0]]


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that can change a result."""
    found = {"python": platform.python_version(), "architecture": platform.machine()}
    for library in LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def driver_version() -> str:
    """Return the version of NVIDIA's driver as the kernel says it; `none` without one."""
    try:
        words = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8").splitlines()[0].split()
    except (OSError, IndexError):
        return "none"
    return next((word for word in words if word.count(".") >= 1 and word.replace(".", "").isdecimal()), "unknown")


def git_state() -> dict[str, str] | None:
    """Return commit and the hash of the uncommitted difference, when our folder is a git checkout."""

    def git(*arguments: str) -> bytes:  # bytes: a difference may hold any
        command = ["git", "-C", str(posttrain_root.ROOT), *arguments]
        return subprocess.run(command, capture_output=True, timeout=20, check=True).stdout

    try:
        commit, difference = git("rev-parse", "HEAD").decode().strip(), git("diff", "HEAD")
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "diff_sha256": hashlib.sha256(difference).hexdigest() if difference else ""}


def intact(root: Path, manifest: dict[str, Any]) -> bool:
    """Tell whether every output that a manifest lists is there with its size."""
    seals = manifest["outputs"].items()
    return all((root / path).is_file() and (root / path).stat().st_size == seal["bytes"] for path, seal in seals)


def outputs(root: Path, known: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return `{path: {sha256, bytes}}` of every file a user sees in a run directory; steps have manifests of their own.

    Args:
        root: the run directory.
        known: seals from unit reports, taken instead of hashing again when the size agrees.

    """
    seals = {}
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if (
            relative.parts[0] in {"run", "steps"}
            or not path.is_file()
            or relative.name in {"manifest.json", "report.html"}
        ):
            continue
        seal, size = known.get(relative.as_posix()), path.stat().st_size
        fresh = seal is None or seal["bytes"] != size
        seals[relative.as_posix()] = {"sha256": sha256_file(path), "bytes": size} if fresh or seal is None else seal
    return seals
