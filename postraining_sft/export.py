"""`posttrain sft export`: a finished run becomes a model directory to publish, with its card."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from postraining_sft.card import about, readme
from postraining_sft.merge import DTYPES, merge, new_folder
from postraining_sft.push import check_url, push, shown
from utils.errors import UserError
from utils.models.locate import folder_of
from utils.runs.commit import read_json, replace_json, sha256_file

MARKER = "posttrain.json"
"""Written last, here and where it is pushed: every other file with its hash. Without it an export is not whole."""

_FILES = {".json", ".safetensors", ".jinja", ".txt", ".model"}


def command(argv: list[str]) -> int:
    """Run `posttrain sft export RUN --output DIR [--push URL]`."""
    parser = argparse.ArgumentParser(
        prog="posttrain sft export",
        description="A finished sft or dpo run becomes a model directory to publish: safetensors, tokenizer, chat "
        "template, generation config, model card. A LoRA is merged. Nothing leaves this machine without --push.",
        allow_abbrev=False,
    )
    parser.add_argument("run", type=Path, help="a finished run")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="a new directory, or a whole export")
    parser.add_argument("--push", metavar="URL", help="copy it there: any place that fsspec knows, s3://bucket/path")
    parser.add_argument("--license", metavar="NAME", help="of the model; by default `unknown`")
    parser.add_argument("--base-model", metavar="NAME", help="its public name, as on the Hub; by default its folder's")
    parser.add_argument("--dtype", choices=DTYPES, default="auto", help="of a merged LoRA; auto: as the base has them")
    parser.add_argument("--json", action="store_true", help="the outcome as JSON on stdout")
    options = parser.parse_args(argv)
    if options.push:
        check_url(options.push)
    made = export(
        options.run, options.output, dtype=options.dtype, license=options.license, base_model=options.base_model
    )
    found: dict[str, Any] = {"output": str(options.output), "files": len(made["files"]) + 1}
    if options.push:
        found |= {"pushed": shown(options.push), "sent": push(options.output, made["files"], MARKER, options.push)}
    said = "".join(f"{name}: {value}\n" for name, value in found.items())
    sys.stdout.write(json.dumps(found) + "\n" if options.json else said)
    return 0


def export(
    run: Path, output: Path, *, dtype: str = "auto", license: str | None = None, base_model: str | None = None
) -> dict[str, Any]:
    """Write the directory; one that holds this very export is left as it is.

    Args:
        run: a finished sft or dpo run.
        output: a new directory, or a whole export of this run.
        dtype: of the weights of a merged LoRA.
        license: of the model.
        base_model: its public name.

    Returns:
        What `posttrain.json` says: `files`, `{name: {sha256, bytes}}`, and what the card is made of.

    Raises:
        UserError: no finished run, an adapter without a model of its own, or something else lies at `output`.

    """
    manifest = read_json(run / "manifest.json")
    if not isinstance(manifest, dict) or manifest.get("verb") not in ("sft", "dpo"):
        mend = f"posttrain resume {run}" if (run / "run").is_dir() else "posttrain status lists runs"
        raise UserError("no finished sft or dpo run here", where=str(run), mend=mend)
    asked = {"key": manifest["key"], "dtype": dtype, "license": license, "base_model": base_model}
    if (there := whole(output)) is not None and there["export"] == asked:
        return there
    with new_folder(output) as folder:
        merging = _model(run, folder, dtype)
        found = about(run, manifest, license=license, base_model=base_model) | merging
        (folder / "README.md").write_text(readme(found), encoding="utf-8")
        files = {path.name: _seal(path) for path in sorted(folder.iterdir())}
        replace_json(folder / MARKER, {"export": asked, "files": files, "about": found})
    return {"export": asked, "files": files, "about": found}


def whole(folder: Path) -> dict[str, Any] | None:
    """Return what an export's marker says when every file is there as it says, else None."""
    marker = read_json(folder / MARKER)
    if not isinstance(marker, dict) or not {"export", "files"} <= marker.keys():
        return None
    fine = all((folder / name).is_file() and _seal(folder / name) == seal for name, seal in marker["files"].items())
    return marker if fine else None


def _seal(path: Path) -> dict[str, Any]:
    return {"sha256": sha256_file(path), "bytes": path.stat().st_size}


def _model(run: Path, folder: Path, dtype: str) -> dict[str, Any]:
    """Put the model's files into the folder; return what was merged."""
    from utils.models.use import write_ends
    from utils.training.adapters import is_adapter

    source = folder_of(run)
    if is_adapter(source):
        return {"merged": merge(run, folder, dtype=dtype)}
    for path in sorted(source.iterdir()):
        if path.is_file() and path.suffix in _FILES:
            shutil.copyfile(path, folder / path.name)
    write_ends(folder)
    return {}
