"""What each attribute was measured by: so that a changed one is measured again, and what builds on it, and no other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_pipeline.attributes.base import Attribute
from data_pipeline.attributes.config import AttributesConfig
from utils.runs.commit import read_json, replace_json
from utils.runs.config import decisive
from utils.runs.directory import Run
from utils.runs.key import Key
from utils.runs.manifest import digest

_ROWS = "rows.json"  # in run/: the digest of the rows that were read
_OWN = {"attributes", "only"}


def accepts(run: Run, config: AttributesConfig, key: Key) -> bool:
    """Tell whether a changed config only names other attributes, or others of their parameters, over the same rows."""
    stored, rows = read_json(run.inner / "key.json"), read_json(run.inner / _ROWS)
    if stored is None or rows is None or stored["code"] != key.code:
        return False
    changed = {
        name for name in {**stored["config"], **key.config} if stored["config"].get(name) != key.config.get(name)
    }
    return changed <= _OWN and rows["sha256"] == _rows_of(config, key.inputs)


def keys_of(run: Run, config: AttributesConfig) -> dict[str, str]:
    """Return for each wanted attribute a digest of all that decides its numbers; note which rows they are of."""
    entries = (read_json(run.inner / "key.json") or {"inputs": []})["inputs"]
    content = {entry["path"]: entry["sha256"] for entry in entries}
    rows = _rows_of(config, entries)
    replace_json(run.inner / _ROWS, {"sha256": rows})
    of_all = [rows, config.partition_bytes, config.format, config.text_field, config.seed]
    keys: dict[str, str] = {}
    for attribute in (attribute for level in config.levels() for attribute in level):
        read = [content.get(str(path)) for path in attribute.reads]
        built_on = [keys[name] for name in attribute.needs]
        keys[attribute.key] = digest([of_all, _parameters(config, attribute), attribute.version, read, built_on])[:12]
    return keys


def _parameters(config: AttributesConfig, attribute: Attribute) -> dict[str, Any]:
    return decisive(next(model for model in config.attributes if model.key == attribute.key))


def _rows_of(config: AttributesConfig, entries: list[dict[str, Any]]) -> str:
    """Return the digest of those inputs that are rows, not models."""
    reads = {str(path) for level in config.levels() for attribute in level for path in attribute.reads}
    return digest([[entry["sha256"], Path(entry["path"]).name] for entry in entries if entry["path"] not in reads])


def set_aside_stale(run: Run, config: AttributesConfig, keys: Mapping[str, str]) -> None:
    """Set aside what was measured by other parameters, of other rows, or on what is measured anew."""
    rows = (read_json(run.inner / _ROWS) or {})["sha256"]
    manifests = {path.parent.name: read_json(path) or {} for path in run.path.glob("attributes/*/manifest.json")}
    known = {name: manifest.get("key") for name, manifest in manifests.items()} | dict(keys)
    stale: set[str] = set()
    while True:  # what builds on a stale attribute is stale
        more = {
            name
            for name, manifest in manifests.items()
            if name not in keys
            and name not in stale
            and (
                manifest.get("of_rows") != rows
                or any(need in stale or known.get(need) != key for need, key in manifest.get("built_on", {}).items())
            )
        }
        if not more:
            break
        stale |= more
    stale |= {name for name in manifests.keys() & keys.keys() if manifests[name].get("key") != keys[name]}
    for report in list(run.reports()):
        names = {Path(file).parts[1] for file in report["files"] if file.startswith("attributes/")}
        if any(name in stale or (name in keys and f"-{keys[name]}-" not in report["unit"]) for name in names):
            run.set_aside(report, "attributes")
    for name in stale:
        run.log.info("%s: measured otherwise before; that is set aside under run/superseded/", name)
        (run.path / "attributes" / name / "manifest.json").unlink(missing_ok=True)


def origin(run: Run, attribute: Attribute, keys: Mapping[str, str]) -> dict[str, Any]:
    """Return what an attribute's manifest says of its key, its rows, and what it builds on."""
    rows = (read_json(run.inner / _ROWS) or {})["sha256"]
    built_on = {name: keys[name] for name in attribute.needs}
    return {"key": keys[attribute.key], "of_rows": rows, "built_on": built_on}
