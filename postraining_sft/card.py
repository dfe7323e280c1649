"""The model card of an export: what was trained on what, how it went, how it was made."""

from __future__ import annotations

import importlib.metadata
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from utils.report.numerals import numeral
from utils.runs.commit import read_json
from utils.runs.logs import redact_tree

UNKNOWN = "unknown"
Card = dict[str, Any]

_ABSOLUTE = re.compile(r"(?<![\w./:…])/(?:[^\s/'\"=,]+/)+(?=[^\s/'\"=,])")
_SHOWN = ("loss", "loss_sft", "loss_document", "eval_loss", "eval_loss_sft", "eval_loss_document", "rewards/margins",
          "eval_rewards/margins", "lr", "tokens", "padding", "tgs", "mfu")  # fmt: skip


def about(run: Path, manifest: Mapping[str, Any], *, license: str | None, base_model: str | None) -> Card:
    """Return what the card says, JSON-able; of absolute paths only the last part, because the card is published.

    Args:
        run: a finished run.
        manifest: its.
        license: of the model.
        base_model: its public name.

    """
    config = manifest["config"]
    inputs = {entry["path"]: entry for entry in manifest["inputs"]}
    before = list(_ancestors(manifest, set()))
    known = {name: licence for one in before for name, licence in (one["config"].get("licences") or {}).items()}
    found = {
        "name": manifest["name"] or run.resolve().name,
        "verb": manifest["verb"],
        "license": license or UNKNOWN,
        "base": {
            "name": base_model or _base_name(Path(config["model"])),
            **_identity(inputs.get(config["model"], {})),
            "license": _stated_licence(Path(config["model"])),
        },
        "method": (config.get("peft") or {}).get("method", "all weights"),
        "read": [
            {"path": path, **_identity(entry), "license": _stated_licence(Path(path))}
            for path, entry in inputs.items()
            if path != config["model"]
        ],
        "rows": list(_rows(run)),
        "licences": known,
        "counts": manifest["counts"],
        "made_before": [_told(one) for one in before],
        "metrics": metrics(run / "metrics.jsonl"),
        "config": {key: value for key, value in config.items() if key not in ("output", "name")},
        "made": {
            **{key: manifest[key] for key in ("command", "key", "code", "seed", "finished", "seconds", "git")},
            "versions": {"posttrain": _version(), **manifest["versions"]},
        },
    }
    without_paths: Card = redact_tree(_shortened(found))
    return without_paths


def _base_name(model: Path) -> str:
    """Return the base's name: of a run of ours the run's, else the folder's."""
    path = model.resolve()
    return path.parent.name if path.name == "model" and (path.parent / "manifest.json").is_file() else path.name


def _identity(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: entry[key] for key in ("sha256", "bytes") if key in entry}


def _ancestors(manifest: Mapping[str, Any], seen: set[str]) -> Iterator[dict[str, Any]]:
    """Give the manifests of the runs that this one read, and of those that they read, each once."""
    for parent in manifest.get("parents") or []:
        if parent in seen:
            continue
        seen.add(parent)
        found = read_json(Path(parent) / "manifest.json")
        if isinstance(found, dict) and "config" in found:
            yield {**found, "run": parent}
            yield from _ancestors(found, seen)


def _told(manifest: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: manifest.get(key) for key in ("run", "verb", "command", "key", "code", "finished", "counts")}
    return kept | {"read": [{"path": one["path"], **_identity(one)} for one in manifest.get("inputs", [])]}


def _stated_licence(path: Path) -> str:
    """Return the licence in the front matter of the README.md beside the data, or in the model's folder."""
    readme_file = (path if path.is_dir() else path.parent) / "README.md"
    try:
        head = re.match(r"---\n(.*?)\n---", readme_file.read_text(encoding="utf-8"), re.DOTALL)
        said = yaml.safe_load(head[1]).get("license") if head else None
    except (OSError, ValueError, AttributeError, yaml.YAMLError):
        return UNKNOWN
    return ", ".join(map(str, said)) if isinstance(said, list) else str(said or UNKNOWN)


def _rows(run: Path) -> Iterator[dict[str, Any]]:
    """Give rows and tokens by source, as the reports of the token shards count them."""
    for path in sorted((run / "run" / "reports").glob("tokens-*.json")):
        part = path.stem.removeprefix("tokens-").rpartition("-")[0]
        for source, kinds in (read_json(path).get("per_source") or {}).items():
            yield from ({"part": part, "source": source, "kind": kind, **counts} for kind, counts in kinds.items())


def metrics(path: Path) -> Card:
    """Return the last numbers of the training, the first and last of the held-out rows, and the lowest of these."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
    steps, held_out = ([line for line in lines if key in line] for key in ("loss", "eval_loss"))
    found: Card = {"steps": len(steps)}
    if steps:
        found |= {"first step": _numbers(steps[0]), "last step": _numbers(steps[-1])}
    if held_out:
        lowest = min(held_out, key=lambda line: line["eval_loss"])
        found |= {"held out, first": _numbers(held_out[0]), "held out, last": _numbers(held_out[-1])}
        found["held out, lowest"] = _numbers(lowest)
        if (loss := held_out[-1].get("eval_loss_document")) is not None:
            found["perplexity of documents"] = {"step": held_out[-1]["step"], "perplexity": math.exp(loss)}
    return found


def _numbers(line: Mapping[str, Any]) -> dict[str, Any]:
    return {key: line[key] for key in ("stage", "step", *_SHOWN) if key in line}


def _version() -> str:
    try:
        return importlib.metadata.version("posttrain")
    except importlib.metadata.PackageNotFoundError:
        return UNKNOWN


def _shortened(value: Any) -> Any:
    """Return the value with the last part only of every absolute path in its texts."""
    if isinstance(value, str):
        return _ABSOLUTE.sub("…/", value)
    if isinstance(value, Mapping):
        return {key: _shortened(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_shortened(inner) for inner in value]
    return value


def readme(card: Card) -> str:
    """Return the card as Markdown, with the front matter that Hugging Face reads."""
    head = {
        "license": card["license"],
        "base_model": card["base"]["name"],
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["posttrain", card["verb"]],
    }
    front = yaml.safe_dump(head, allow_unicode=True, sort_keys=False)
    sections = [_use(card), _base(card), _data(card), _numbers_told(card), _config(card), _made(card)]
    return f"---\n{front}---\n\n# {_line(card['name'])}\n\n" + "\n".join(sections)


def _use(card: Card) -> str:
    what = {"sft": "supervised fine-tuning", "dpo": "direct preference optimisation"}[card["verb"]]
    return f"""{_line(card["base"]["name"])} after {what} ({_line(card["method"])}), by posttrain.

```python
from transformers import pipeline

ask = pipeline("text-generation", model=".")  # this folder
answer = ask([{{"role": "user", "content": "Hello! 你好！"}}], max_new_tokens=256)
print(answer[0]["generated_text"][-1]["content"])
```
"""


def _base(card: Card) -> str:
    base, merged = card["base"], card.get("merged")
    lines = [
        f"- base model: {_line(base['name'])}, hash {base.get('sha256', UNKNOWN)}, licence {_line(base['license'])}",
        f"- licence of this model: {_line(card['license'])}",
    ]
    if merged:
        apart = f"{merged['difference']:.1e}"
        lines.append(f"- the adapter is merged into the weights ({merged['dtype']}); logits moved by at most {apart}")
    return "## Model\n\n" + "\n".join(lines) + "\n"


def _data(card: Card) -> str:
    read = [
        [one["path"], one.get("sha256", UNKNOWN), numeral(one.get("bytes", 0)), one["license"]] for one in card["read"]
    ]
    rows = [
        [one["part"], one["source"], one["kind"], *(numeral(one[key]) for key in ("rows", "tokens", "trained"))]
        for one in card["rows"]
    ]
    counts = card["counts"]
    why = ", ".join(f"{_line(reason)} {numeral(number)}" for reason, number in counts.get("by_reason", {}).items())
    words = ", ".join(
        f"{key} {numeral(counts[key])}" for key in ("in", "kept", "dropped", "quarantined") if key in counts
    )
    parts = [
        "## Data\n",
        _table(["read", "hash", "bytes", "licence stated beside it"], read),
        f"Records: {words}{f' ({why})' if why else ''}.\n",
        _table(["part", "source", "kind", "rows", "tokens", "trained on"], rows) if rows else "",
    ]
    if card["licences"]:
        told = [[source, licence] for source, licence in sorted(card["licences"].items())]
        parts.append("Licences that the runs before name:\n\n" + _table(["source", "licence"], told))
    return "\n".join(part for part in parts if part)


def _numbers_told(card: Card) -> str:
    found = dict(card["metrics"])
    steps = found.pop("steps")
    names = list(dict.fromkeys(name for one in found.values() for name in one))
    rows = [[when, *(_number(one.get(name)) for name in names)] for when, one in found.items()]
    return f"## Metrics\n\n{numeral(steps)} steps logged.\n\n{_table(['', *names], rows) if rows else ''}"


def _number(value: Any) -> str:
    if value is None or isinstance(value, str | int):
        return "" if value is None else str(value)
    return f"{value:.4g}"


def _config(card: Card) -> str:
    text = yaml.safe_dump(card["config"], allow_unicode=True, sort_keys=False)
    return "## Config\n\n" + "".join(f"    {line}\n" for line in text.splitlines())


def _made(card: Card) -> str:
    made = card["made"]
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    commit = (made["git"] or {}).get("commit", "none")
    took = f"finished {made['finished']} after {numeral(made['seconds'], digits=0)} s"
    lines = [
        f"- `{_line(' '.join(made['command']))}`, {took}",
        f"- key {made['key']}, code {made['code']}, commit {commit}, seed {made['seed']}",
        f"- {_line(versions)}",
    ]
    for one in card["made_before"]:
        counts = ", ".join(f"{name} {numeral(n)}" for name, n in (one["counts"] or {}).items() if isinstance(n, int))
        read = ", ".join(f"`{_line(two['path'])}` {two.get('sha256', '')[:12]}" for two in one["read"])
        lines.append(
            f"- before it **{_line(one['verb'])}** `{_line(one['run'])}`, {one['finished']}: {counts}\n"
            f"  - `{_line(' '.join(one['command'] or []))}`, key {one['key']}, code {one['code']}\n"
            f"  - read {read}"
        )
    return "## How it was made\n\n" + "\n".join(lines) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_line(cell) for cell in line) + " |" for line in lines) + "\n"


def _line(text: str) -> str:
    """Return a text that stays in its cell and is not read as markup."""
    return " ".join(str(text).split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
