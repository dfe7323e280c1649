"""`posttrain view`: gather what was measured, project it, draw it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from data_pipeline.view.columns import chosen, map_columns
from data_pipeline.view.config import ViewConfig
from data_pipeline.view.page import render_map
from data_pipeline.view.picture import draw_picture
from data_pipeline.view.project import pca, steps_of, tsne, umap
from data_pipeline.view.table import AFTER, gather
from utils.data.inputs import find_files
from utils.data.records import read_parquet, write_parquet
from utils.execution.executor import cpu_count
from utils.report.blocks import Text
from utils.runs.directory import Run

_METHODS = {"tsne": "t-SNE", "pca": "PCA", "umap": "UMAP"}


def inputs(config: ViewConfig) -> list[Path]:
    """Return what is read; a glob counts by its files."""
    rows = [
        path
        for given in (config.input, config.after)
        if given is not None
        for one in (given if isinstance(given, list) else [given])
        for path in ([one] if one.exists() else [file.path for file in find_files(one)])
    ]
    return [*rows, config.attributes, *([] if config.tier is None else [config.tier])]


def dry_run(config: ViewConfig) -> dict[str, Any]:
    """Return how many rows would be drawn, and their columns."""
    frame, vectors, counts = gather(config)
    columns = {column.name: column.kind for column in map_columns(frame)}
    return {"counts": counts, "dimensions": vectors.shape[1], "columns": columns}


def work(run: Run, config: ViewConfig) -> dict[str, Any]:
    """Write `map.parquet`, then `map.png` and `map.html` from it; return the counts of rows."""
    if (report := run.committed("map")) is None:
        frame, vectors, counts = gather(config)
        chosen(map_columns(frame), config.colour)  # a wrong name is told before the long work
        points = _project(run, config, vectors)
        with run.unit("map") as unit:
            with unit.file("map.parquet") as temporary:
                write_parquet(_table(frame, points), temporary)
            report = unit.commit({"counts": counts, "dimensions": vectors.shape[1]})
    if run.committed("pictures") is None:
        _draw(run, config)
    return dict(report["counts"])


def _table(frame: pl.DataFrame, points: np.ndarray) -> pa.Table:
    placed = frame.with_columns(x=pl.Series(points[:, 0]), y=pl.Series(points[:, 1]))
    return placed.select("id", "x", "y", pl.exclude("id", "x", "y")).to_arrow(compat_level=pl.CompatLevel.oldest())


def _project(run: Run, config: ViewConfig, vectors: np.ndarray) -> np.ndarray:
    """Return points, float64 [n, 2].

    Raises:
        InterruptedRunError: a signal came.

    """
    started = time.monotonic()
    if config.method == "pca":
        points = pca(vectors, 2)
    elif config.method == "umap":
        points = umap(vectors, seed=config.seed)
    else:
        threads = config.resources.cpus if config.resources else cpu_count()
        run.log.info("t-SNE of %d vectors of %d numbers: finding neighbours", *vectors.shape)
        with run.progress(steps_of(config.iterations), "t-SNE steps") as progress:

            def step(count: int) -> bool:
                progress.step(count)
                return bool(run.stop.requested)

            points = tsne(
                vectors,
                perplexity=config.perplexity,
                iterations=config.iterations,
                threads=threads,
                seed=config.seed,
                step=step,
            )
    run.stop.check()
    run.log.info("%s: %d points in %.1f s", _METHODS[config.method], len(points), time.monotonic() - started)
    return points


def _draw(run: Run, config: ViewConfig) -> None:
    """Write both pictures from the table that is committed."""
    frame = pl.DataFrame(pl.from_arrow(read_parquet(run.path / "map.parquet")))
    columns = map_columns(frame)
    column = chosen(columns, config.colour)
    method, name = _METHODS[config.method], _named(config)
    head = f"{name}: {method} of {config.embedding}, {frame.height:,} rows"
    kept = frame[AFTER].to_numpy() if AFTER in frame.columns else None
    page = render_map(
        frame,
        columns,
        title=Text(f"Map of {name}", f"{name} 数据地图"),
        subtitle=Text(
            f"{frame.height:,} rows; {method} of {config.embedding}. Near points have like vectors; distances between "
            "groups mean little.",
            f"共 {frame.height:,} 行；{config.embedding} 的 {method} 投影。相近的点向量相似；组间距离意义不大。",
        ),
        colour=column.name,
        seed=config.seed,
    )
    with run.unit("pictures") as unit:
        with unit.file("map.png") as temporary:
            temporary.write_bytes(draw_picture(frame["x"].to_numpy(), frame["y"].to_numpy(), column, kept, head))
        with unit.file("map.html") as temporary:
            temporary.write_text(page, encoding="utf-8")
        unit.commit({"colour": column.name})


def _named(config: ViewConfig) -> str:
    """Return what the rows are called: the run's name, else the last part of the path."""
    given = config.input if config.input is not None else config.attributes
    first = given[0] if isinstance(given, list) else given
    return config.name or (first.stem if first.is_file() else first.name)
