"""`posttrain why ID`: a row's story, told from the tables that the runs left, from the raw file to the checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from utils.errors import UserError
from utils.runs.commit import read_json

Event = dict[str, Any]
_ORDER = ("clean", "attributes", "tier", "candidates", "judge", "pairs", "sft", "dpo")
_SHORTEST_PREFIX = 6


def story(row_id: str, roots: list[Path]) -> list[Event]:
    """Return what every finished run below `roots` did with a row.

    Args:
        row_id: a row's id, or a beginning of it that fits one id only.
        roots: run directories, or folders that hold some.

    Returns:
        Events in the order of the pipeline, then of time: `{"stage", "run", "what", …}`.

    Raises:
        UserError: no run knows the id, or several ids begin like this.

    """
    runs = finished_runs(roots)
    full = _full_id(row_id, runs, roots)
    events = [event for run, manifest in runs for event in _TELLERS[manifest["verb"]](run, full)]
    return events + list(_checkpoints(events, runs))


def finished_runs(roots: list[Path]) -> list[tuple[Path, dict[str, Any]]]:
    """Return finished runs with tables about rows, and their manifests, in the order of the pipeline."""
    found = {}
    for root in roots:
        for path in [root / "manifest.json", *root.rglob("manifest.json")]:
            if (path.parent / "run" / "key.json").exists() and (manifest := read_json(path)):
                found[path.parent.resolve()] = (path.parent, manifest)
    known = [item for item in found.values() if item[1]["verb"] in _ORDER]
    return sorted(known, key=lambda item: (item[1]["started"], _ORDER.index(item[1]["verb"]), str(item[0])))


def told(events: list[Event]) -> str:
    """Return a story as lines for a terminal."""
    lines = []
    for event in events:
        rest = {k: v for k, v in event.items() if k not in {"stage", "run", "what"} and v not in (None, [], "")}
        details = "  ".join(f"{name}={_short(value)}" for name, value in rest.items())
        lines.append(f"{event['stage']:<11} {event['what']}\n{'':<11} {event['run']}  {details}".rstrip())
    return "\n".join(lines)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else text[:97] + "…"


def _full_id(row_id: str, runs: list[tuple[Path, dict[str, Any]]], roots: list[Path]) -> str:
    where = ", ".join(map(str, roots))
    if len(row_id) < _SHORTEST_PREFIX:
        raise UserError(f"{row_id!r} is too short for an id", mend=f"give at least {_SHORTEST_PREFIX} characters of it")
    found: set[str] = set()
    for run, _ in runs:
        for path in sorted((run / "ledger").glob("*.parquet")):
            column = pl.scan_parquet(path).select("id").filter(pl.col("id").str.starts_with(row_id))
            found.update(column.unique().collect()["id"])
    if not found:
        raise UserError(f"no finished run knows a row {row_id!r}", where=where, mend="look elsewhere with --run DIR")
    if len(found) > 1 and row_id not in found:
        raise UserError(f"{len(found)} ids begin with {row_id!r}: {', '.join(sorted(found)[:3])} …", where=where)
    return row_id if row_id in found else found.pop()


def _rows(run: Path, pattern: str, row_id: str, *, column: str = "id") -> list[dict[str, Any]]:
    """Return the rows about an id in the tables that a pattern names."""
    rows: list[dict[str, Any]] = []
    for path in sorted(run.glob(pattern)):
        rows += pl.scan_parquet(path).filter(pl.col(column) == row_id).collect().to_dicts()
    return rows


def _clean(run: Path, row_id: str) -> Iterator[Event]:
    for row in _rows(run, "ledger/*.parquet", row_id):
        place = f"{row['source_file']} row {row['source_row']}"
        edits = {edit["rule"]: edit["count"] for edit in row["edits"] or []}
        yield {
            "stage": "clean",
            "run": str(run),
            "what": f"{place}: {row['status']}",
            "reasons": row["reasons"],
            "edits": edits or None,
            "duplicate_of": row["duplicate_of"],
            "similarity": row["similarity"],
        }


def _attributes(run: Path, row_id: str) -> Iterator[Event]:
    for folder in sorted(path for path in (run / "attributes").glob("*") if path.is_dir()):
        for row in _rows(run, f"attributes/{folder.name}/part-*.parquet", row_id):
            values = {name: value for name, value in row.items() if name != "id" and not isinstance(value, list)}
            yield {"stage": "attributes", "run": str(run), "what": folder.name, **values}


def _decisions(stage: str) -> Callable[[Path, str], Iterator[Event]]:
    """Return the teller of a stage that keeps `ledger/decisions.parquet` by row id."""

    def tell(run: Path, row_id: str) -> Iterator[Event]:
        for row in _rows(run, "ledger/decisions.parquet", row_id):
            into = f" → {row['into']}" if row["into"] else ""
            yield {"stage": stage, "run": str(run), "what": row["status"] + into, "reasons": row["reasons"]}

    return tell


def _candidates(run: Path, row_id: str) -> Iterator[Event]:
    rows = _rows(run, "candidates.parquet", row_id, column="prompt_id")
    if rows:
        models = sorted({row["model"] for row in rows})
        yield {"stage": "candidates", "run": str(run), "what": f"{len(rows)} answers", "models": models}


def _judge(run: Path, row_id: str) -> Iterator[Event]:
    rows = _rows(run, "judgements.parquet", row_id, column="prompt_id")
    if rows:
        scores = [round(row["score"], 3) for row in rows if row["valid"]]
        yield {"stage": "judge", "run": str(run), "what": f"{len(scores)} of {len(rows)} valid", "scores": scores}


def _dpo(run: Path, row_id: str) -> Iterator[Event]:
    """Tell of the pairs whose prompt is this row: a pair has an id of its own, its provenance has the prompt's."""
    manifest = read_json(run / "manifest.json") or {}
    tell = _decisions("dpo")
    yield from tell(run, row_id)
    for parent in manifest.get("parents", []):
        for pair in _pairs_of(Path(parent), row_id):
            if pair != row_id:
                yield from tell(run, pair)


def _pairs_of(run: Path, row_id: str) -> list[str]:
    path = run / "pairs.parquet"
    if not path.exists():
        return []
    prompt = pl.col("provenance").str.json_path_match("$.prompt_id")
    return pl.scan_parquet(path).filter(prompt == row_id).collect()["id"].to_list()


_TELLERS: dict[str, Callable[[Path, str], Iterator[Event]]] = {
    "clean": _clean,
    "attributes": _attributes,
    "tier": _decisions("tier"),
    "candidates": _candidates,
    "judge": _judge,
    "pairs": _decisions("pairs"),
    "sft": _decisions("sft"),
    "dpo": _dpo,
}


def _checkpoints(events: list[Event], runs: list[tuple[Path, dict[str, Any]]]) -> Iterator[Event]:
    """Yield the checkpoints that the row is in: those trained on it, and those that continue them."""
    trained = [
        event["run"] for event in events if event["stage"] in {"sft", "dpo"} and event["what"].startswith("kept")
    ]
    holds = {str(Path(run).resolve()) for run in trained}
    for run, manifest in runs:
        if manifest["verb"] not in {"sft", "dpo"}:
            continue
        parents = {str(Path(parent).resolve()) for parent in manifest["parents"]}
        here = str(run.resolve())
        if here in holds or parents & holds:
            how = "trained on it" if here in holds else "continues such a model"
            holds.add(here)
            seal = manifest["outputs"].get("model/model.safetensors", {}).get("sha256", "")
            yield {"stage": "checkpoint", "run": str(run), "what": f"{run / 'model'}: {how}", "sha256": seal[:16]}
