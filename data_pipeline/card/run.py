"""`posttrain card`: one look at every row, and the files that say what was seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from data_pipeline.attributes.store import load_columns, numeric_columns
from data_pipeline.card import coverage as covered
from data_pipeline.card.config import CardConfig
from data_pipeline.card.licences import by_licence, exportable
from data_pipeline.card.nodes import Tree, tree_for, with_nodes
from data_pipeline.card.numbers import clusters, distributions, sizes
from data_pipeline.card.origin import by_number, duplicates, input_paths, lineage, made, replaced
from data_pipeline.card.page import page
from data_pipeline.card.preview import preview
from data_pipeline.card.readme import readme
from data_pipeline.card.rows import Rows, load_rows, sets_of
from data_pipeline.card.vectors import embedding_of, manifests, redundancy
from data_pipeline.exports.licences import named_for_nothing
from utils.data.parsing import dump_row
from utils.errors import UserError
from utils.runs.directory import Run


def inputs(config: CardConfig) -> list[Path]:
    """Return what is read; a glob counts by its files."""
    return [*input_paths(config.input), *([config.attributes] if config.attributes else [])]


def dry_run(config: CardConfig) -> dict[str, Any]:
    """Return the sets that would be described."""
    return {"sets": {name: str(path) for name, path in sets_of(config).items()}}


def work(run: Run, config: CardConfig) -> dict[str, Any]:
    """Write `README.md`, `card.html`, `stats.json`, `preview.jsonl` and, with a taxonomy, `quota.yaml`, as one unit."""
    if (report := run.committed("card")) is not None:
        return dict(report["counts"])
    tree = tree_for(config)
    rows = load_rows(config, None if tree is None else tree.to_map)
    run.stop.check()
    stats = statistics(rows, config, tree, run.path)
    for key, given in (("licences", config.licences), ("model_licences", config.model_licences)):
        if idle := named_for_nothing(stats[key], given):
            run.log.warning("%s: nothing is called %s", key, ", ".join(idle))
    shown = preview(rows.frame, config)
    texts = {
        "stats.json": json.dumps(stats, ensure_ascii=False, indent=1) + "\n",
        "README.md": readme(stats, shown, config),
        "card.html": page(stats, shown),
        "preview.jsonl": b"".join(dump_row(row) + b"\n" for row in shown).decode(),
    }
    if tree is not None:
        wanted = covered.quota(stats["coverage"], tree.taxonomy, tree.attribute)
        texts["quota.yaml"] = yaml.safe_dump(wanted, allow_unicode=True, sort_keys=False)
    counts = {"in": rows.frame.height, "kept": rows.frame.height, "dropped": 0, "quarantined": 0, "by_reason": {}}
    with run.unit("card") as unit:
        for name, text in texts.items():
            with unit.file(name) as temporary:
                temporary.write_text(text, encoding="utf-8")
        unit.commit({"counts": counts})
    return counts


def statistics(rows: Rows, config: CardConfig, tree: Tree | None, run: Path) -> dict[str, Any]:
    """Return all numbers of the card; None for what could not be measured, never a default."""
    runs = lineage(inputs(config))
    frame, scores = _measured(rows.frame, config)
    found = with_nodes(frame, tree, config, run)
    return {
        "name": config.title or config.name or config.input.name,
        "rows": frame.height,
        "tokens": int(frame["tokens"].sum()),
        "distinct_ids": frame["id"].n_unique(),
        "sets": sizes(frame),
        "licences": by_licence(frame, "source", config.licences),
        "model_licences": by_licence(frame.explode("models").drop_nulls("models"), "models", config.model_licences),
        "exportable": exportable(frame, config),
        "personal_data": {
            "replaced_in_cleaning": replaced(runs),
            "placeholders": {name: by_number(kinds) for name, kinds in rows.placeholders.items()},
            "still_found": {name: by_number(kinds) for name, kinds in rows.found.items()},
        },
        "scores": distributions(frame, scores),
        "clusters": clusters(frame) if "cluster" in frame.columns else None,
        "duplicates_dropped": duplicates(runs),
        "redundancy": _redundancy(frame, config),
        "coverage": None if tree is None else covered.coverage(found, tree.taxonomy) | {"attribute": tree.attribute},
        "source_target": covered.against_target(frame, config.source_target) if config.source_target else None,
        "made": made(runs),
    }


def _measured(frame: pl.DataFrame, config: CardConfig) -> tuple[pl.DataFrame, list[str]]:
    """Return the rows with their scores and clusters, and the names of the scores.

    Raises:
        UserError: a score that is no number, or scores without an attributes run.

    """
    if config.attributes is None:
        if config.scores:
            raise UserError("`scores` need `attributes`", where="scores", mend="name the attributes run")
        return frame, []
    there = manifests(config.attributes)
    numbers = [f"{name}.{column}" for name in there for column in numeric_columns(config.attributes, name)]
    clustered = next((name for name, about in there.items() if "cluster_name" in about["columns"]), None)
    labels = {f"{clustered}.{label}": label for label in ("cluster", "cluster_name")} if clustered else {}
    scores = config.scores or [name for name in numbers if name not in labels]
    if wrong := [name for name in scores if name not in numbers]:
        raise UserError(f"{wrong[0]} is no number", where=str(config.attributes), mend=f"numbers: {', '.join(numbers)}")
    if not scores and not labels:
        return frame, []
    measures = load_columns(config.attributes, [*scores, *labels]).rename(labels)
    return frame.join(measures, on="id", how="left", maintain_order="left"), scores


def _redundancy(frame: pl.DataFrame, config: CardConfig) -> dict[str, Any] | None:
    if config.attributes is None or (name := embedding_of(config.attributes)) is None:
        return None
    return redundancy(frame, config.attributes, name, config.redundancy_rows, config.seed)
