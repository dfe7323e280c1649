"""`posttrain why ID`: a row's story, told from the tables that the runs left, from the raw file to the checkpoint."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from data_pipeline.tier import story as tier_story
from utils.errors import UserError
from utils.runs.commit import read_json

Event = dict[str, Any]
Manifest = dict[str, Any]
Teller = Callable[[Path, str, Manifest], Iterator[Event]]
Runs = list[tuple[Path, Manifest]]
"""Run directories with their manifests; there `parents` are directories that can be read (see `finished_runs`)."""
_ORDER = ("clean", "attributes", "tier", "candidates", "judge", "pairs", "export", "sft", "dpo", "evaluate")
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
    events = [event for run, manifest in runs for event in _TELLERS[manifest["verb"]](run, full, manifest)]
    return events + list(_checkpoints(events, runs))


def finished_runs(roots: list[Path]) -> Runs:
    """Return finished runs with tables about rows, and their manifests, in the order of the pipeline.

    `parents` in these manifests are where the parents lie now: a run may have been moved or copied with its parents.
    """
    found = {}
    for root in roots:
        for path in [root / "manifest.json", *root.rglob("manifest.json")]:
            if (path.parent / "run" / "key.json").exists() and (manifest := read_json(path)):
                found[path.parent.resolve()] = (path.parent, manifest)
    for path, (_, manifest) in found.items():
        manifest["parents"] = [str(_now_at(Path(parent), path, found)) for parent in manifest.get("parents", [])]
    known = [item for item in found.values() if item[1]["verb"] in _ORDER]
    return sorted(known, key=lambda item: (item[1]["started"], _ORDER.index(item[1]["verb"]), str(item[0])))


def _now_at(parent: Path, child: Path, found: Mapping[Path, tuple[Path, Manifest]]) -> Path:
    """Return where a run's parent lies: among the found runs as recorded, or by its last two path parts.

    Of several with these parts it is the one nearest to the run itself. A parent that still lies where it was recorded
    is taken for another only when that one is its copy.
    """
    there = parent.resolve()
    if there in found:
        return there
    tail = parent.parts[-2:]
    alike = [path for path in found if path != child and path.parts[-len(tail) :] == tail]
    if original := read_json(there / "manifest.json"):
        alike = [path for path in alike if found[path][1]["outputs"] == original["outputs"]]
    return max(alike, key=lambda path: len(os.path.commonpath([path, child])), default=there)


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


def _full_id(row_id: str, runs: Runs, roots: list[Path]) -> str:
    where = ", ".join(map(str, roots))
    if len(row_id) < _SHORTEST_PREFIX:
        raise UserError(f"{row_id!r} is too short for an id", mend=f"give at least {_SHORTEST_PREFIX} characters of it")
    found: set[str] = set()
    for run, _ in runs:
        for path in [*sorted((run / "ledger").glob("*.parquet")), *run.glob("answers.parquet")]:
            column = pl.scan_parquet(path, glob=False).select("id").filter(pl.col("id").str.starts_with(row_id))
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
        rows += pl.scan_parquet(path, glob=False).filter(pl.col(column) == row_id).collect().to_dicts()
    return rows


def _clean(run: Path, row_id: str, _: Manifest) -> Iterator[Event]:
    for row in _rows(run, "ledger/*.parquet", row_id):
        place = f"{row['source_file']} row {row['source_row']}"
        edits = {edit["rule"]: edit["count"] for edit in row["edits"] or []}
        yield {
            "stage": "clean",
            "run": str(run),
            "what": f"{place}: {row['status']}",
            "id": row["id"],
            "reasons": row["reasons"],
            "edits": edits or None,
            "duplicate_of": row["duplicate_of"],
            "similarity": row["similarity"],
            "cluster": row["cluster"],
        }


def _attributes(run: Path, row_id: str, _: Manifest) -> Iterator[Event]:
    for folder in sorted(path for path in (run / "attributes").glob("*") if path.is_dir()):
        for row in _rows(run, f"attributes/{folder.name}/part-*.parquet", row_id):
            values = {name: value for name, value in row.items() if name != "id" and not isinstance(value, list)}
            yield {"stage": "attributes", "run": str(run), "what": folder.name, **values}


def _decisions(stage: str) -> Teller:
    """Return the teller of a stage that keeps `ledger/decisions.parquet` by row id."""

    def tell(run: Path, row_id: str, _: Manifest) -> Iterator[Event]:
        for row in _rows(run, "ledger/decisions.parquet", row_id):
            into = f" → {row['into']}" if row["into"] else ""
            yield {"stage": stage, "run": str(run), "what": row["status"] + into, "reasons": row["reasons"]}

    return tell


def _candidates(run: Path, row_id: str, _: Manifest) -> Iterator[Event]:
    rows = _rows(run, "candidates.parquet", row_id, column="prompt_id")
    if rows:
        models = sorted({row["model"] for row in rows})
        yield {"stage": "candidates", "run": str(run), "what": f"{len(rows)} answers", "models": models}


def _judge(run: Path, row_id: str, _: Manifest) -> Iterator[Event]:
    rows = _rows(run, "judgements.parquet", row_id, column="prompt_id")
    if rows:
        scores = [round(row["score"], 3) for row in rows if row["valid"]]
        yield {"stage": "judge", "run": str(run), "what": f"{len(scores)} of {len(rows)} valid", "scores": scores}


def _decisions_of_pairs(stage: str) -> Teller:
    """Return the teller of a stage that takes pairs too: a pair has an id of its own, its provenance the prompt's."""
    tell = _decisions(stage)

    def tell_both(run: Path, row_id: str, manifest: Manifest) -> Iterator[Event]:
        yield from tell(run, row_id, manifest)
        for parent in manifest["parents"]:
            for pair in _pairs_of(Path(parent), row_id):
                if pair != row_id:
                    yield from tell(run, pair, manifest)

    return tell_both


def _pairs_of(run: Path, row_id: str) -> list[str]:
    path = run / "pairs.parquet"
    if not path.exists():
        return []
    prompt = pl.col("provenance").str.json_path_match("$.prompt_id")
    return pl.scan_parquet(path, glob=False).filter(prompt == row_id).collect()["id"].to_list()


def _evaluate(run: Path, row_id: str, _: Manifest) -> Iterator[Event]:
    rows = _rows(run, "answers.parquet", row_id)
    if rows:
        models = {row["model"]: row["score"] for row in sorted(rows, key=lambda row: str(row["model"]))}
        yield {"stage": "evaluate", "run": str(run), "what": f"{len(rows)} answers", "models": models}


_TELLERS: dict[str, Teller] = {
    "clean": _clean,
    "attributes": _attributes,
    "tier": tier_story.tell,
    "candidates": _candidates,
    "judge": _judge,
    "pairs": _decisions("pairs"),
    "sft": _decisions("sft"),
    "dpo": _decisions_of_pairs("dpo"),
    "export": _decisions_of_pairs("export"),
    "evaluate": _evaluate,
}


def _checkpoints(events: list[Event], runs: Runs) -> Iterator[Event]:
    """Yield the checkpoints that the row is in: those trained on it, and those that continue them."""
    trained = [
        event["run"] for event in events if event["stage"] in {"sft", "dpo"} and event["what"].startswith("kept")
    ]
    holds = {str(Path(run).resolve()) for run in trained}
    for run, manifest in runs:
        if manifest["verb"] not in {"sft", "dpo"}:
            continue
        parents = set(manifest["parents"])
        here = str(run.resolve())
        if here in holds or parents & holds:
            how = "trained on it" if here in holds else "continues such a model"
            holds.add(here)
            seal = manifest["outputs"].get("model/model.safetensors", {}).get("sha256", "")
            yield {"stage": "checkpoint", "run": str(run), "what": f"{run / 'model'}: {how}", "sha256": seal[:16]}
