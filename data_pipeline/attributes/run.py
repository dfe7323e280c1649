"""`posttrain attributes`: read, measure what needs only a part of the rows, measure what needs them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_pipeline.attributes.base import Attribute
from data_pipeline.attributes.config import AttributesConfig, OneAttribute
from data_pipeline.attributes.keys import accepts, keys_of, origin, set_aside_stale
from data_pipeline.attributes.rows import load_rows, mark_repeated, plan
from utils.data.inputs import find_files
from utils.data.records import read_parquet, write_parquet
from utils.errors import StageFailedError
from utils.runs.commit import Unit, replace_json
from utils.runs.config import resolved
from utils.runs.directory import Run

__all__ = ["accepts", "dry_run", "inputs", "measure", "work"]


def inputs(config: AttributesConfig) -> list[Path]:
    """Return what is read, models and rubrics too; a glob counts by its files."""
    given = config.input if isinstance(config.input, list) else [config.input]
    rows = [path for one in given for path in ([one] if one.exists() else [file.path for file in find_files(one)])]
    return rows + [path for level in config.levels() for attribute in level for path in attribute.reads]


def dry_run(config: AttributesConfig) -> dict[str, Any]:
    """Return files, tasks and the order of the work."""
    tasks = plan(config.input, config.partition_bytes, config.format, config.text_field)
    rows = [task["partition"]["rows"] for task in tasks]
    return {
        "files": len({task["partition"]["path"] for task in tasks}),
        "partitions": len(tasks),
        "rows": None if None in rows else sum(rows),
        "order": [[attribute.key for attribute in level] for level in config.levels()],
        "leaves_host": {a.key: a.leaves_host for level in config.levels() for a in level if a.leaves_host},
    }


def work(run: Run, config: AttributesConfig) -> dict[str, Any]:
    """Measure every wanted attribute of every distinct row; what was measured by the same key before stays.

    Returns:
        Counts of rows: `kept` are the distinct ids, `dropped` repeated ones, `quarantined` hold no record.

    """
    readings = plan(config.input, config.partition_bytes, config.format, config.text_field)
    reports = run.map("data_pipeline.attributes.rows:read", readings, "reading")
    repeated = mark_repeated(run, readings)
    keys = keys_of(run, config)
    set_aside_stale(run, config, keys)
    for level in config.levels():
        tasks = {attribute.key: _tasks(attribute, config, readings, keys) for attribute in level}
        of_all = [task for some in tasks.values() for task in some]
        run.map("data_pipeline.attributes.run:measure", of_all, f"measuring {', '.join(tasks)}")
        for attribute in level:
            numbers = [task["part"] for task in tasks[attribute.key]]
            _describe(run, attribute, config.seed, numbers, origin(run, attribute, keys))
    counts = {name: sum(report[name] for report in reports) for name in ("in", "kept", "dropped", "quarantined")}
    counts["kept"] -= repeated
    counts["dropped"] += repeated
    return {**counts, "by_reason": {"duplicate_id": counts["dropped"]} if counts["dropped"] else {}}


def _tasks(
    attribute: Attribute, config: AttributesConfig, readings: Sequence[dict[str, Any]], keys: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return one task per part for an attribute of rows, one task over all parts for one that must see them all."""
    wanted = next(resolved(model) for model in config.attributes if model.key == attribute.key)
    whole = [model.key for model in config.attributes if model.scope == "all" and model.key in attribute.needs]
    shared = {"attribute": wanted, "seed": config.seed, "whole": whole}
    name = f"{attribute.key}-{keys[attribute.key]}"
    if attribute.scope == "all" and readings:
        return [{**shared, "unit": f"{name}-all", "parts": list(range(len(readings))), "part": 0}]
    return [
        {**shared, "unit": f"{name}-{task['unit']}", "parts": [number], "part": number}
        for number, task in enumerate(readings)
    ]


def measure(task: dict[str, Any]) -> dict[str, Any]:
    """Measure one attribute on some parts and commit the result. A job of the executor.

    Raises:
        StageFailedError: the attribute lost, doubled or reordered rows.

    """
    root = Path(task["root"])
    attribute: Attribute = OneAttribute(attribute=task["attribute"]).attribute.placed(root)
    rows = load_rows(root, task["parts"])
    given = {
        name: _of_rows(_measured(root, name, [0]), rows)
        if name in task["whole"]
        else _measured(root, name, task["parts"])
        for name in attribute.needs
    }
    table = attribute.measure(rows, given, task["seed"])
    if table["id"].to_pylist() != rows["id"].to_list():
        raise StageFailedError(f"{attribute.key} did not give one row per row", where=task["unit"])
    unit = Unit(root, task["unit"], task["token"], task["attempt"])
    with unit.file(_part(attribute.key, task["part"])) as temporary:
        write_parquet(table, temporary)
    return unit.commit({"rows": table.num_rows, "by_content": True})


def _part(name: str, number: int) -> str:
    return f"attributes/{name}/part-{number:05d}.parquet"


def _measured(root: Path, name: str, parts: Sequence[int]) -> pa.Table:
    """Return what an attribute measured on these parts; one that saw all rows at once has but the first."""
    return pa.concat_tables([read_parquet(root / _part(name, part)) for part in parts])


def _of_rows(table: pa.Table, rows: pl.DataFrame) -> pa.Table:
    """Return the lines of these rows; both are in the order of the input."""
    return table.filter(pc.is_in(table["id"], pa.array(rows["id"].to_list(), pa.string())))


def _summary(attribute: Attribute, parts: Sequence[Path]) -> dict[str, Any]:
    columns = list(attribute.summarised)
    if not columns or not parts:
        return {}
    return attribute.summary(pl.concat([pl.DataFrame(pl.from_arrow(read_parquet(part, columns))) for part in parts]))


def _describe(run: Run, attribute: Attribute, seed: int, numbers: Sequence[int], origin: dict[str, Any]) -> None:
    """Write the attribute's manifest: what measured what, and into which columns; only the parts of this plan."""
    folder = run.path / "attributes" / attribute.key
    parts = [run.path / _part(attribute.key, number) for number in numbers]
    schemas = [pq.read_schema(path) for path in parts]
    manifest = {
        "name": attribute.key,
        "scorer": f"{type(attribute).__module__}.{type(attribute).__name__}",
        "version": attribute.version,
        "parameters": attribute.model_dump(mode="json"),  # type: ignore[attr-defined]
        "seed": seed,
        **origin,
        "rows": sum(pq.read_metadata(path).num_rows for path in parts),
        "columns": {field.name: str(field.type) for field in schemas[0]} if schemas else {},
        "parts": [path.name for path in parts],
        "summary": _summary(attribute, parts),
    }
    replace_json(folder / "manifest.json", manifest)
