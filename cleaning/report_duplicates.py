"""The part of a cleaning report about duplicates: how many, the largest clusters, pairs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from cleaning.config import CleanConfig
from cleaning.duplicates.minhash import collision_curve
from cleaning.duplicates.outcome import DUPLICATES_FILE, NEAR
from cleaning.duplicates.parts import Part, Texts, load_parts
from cleaning.duplicates.reference import REASON as REFERENCE
from utils.report.page import (
    Bar,
    BarList,
    Block,
    Cell,
    Column,
    Details,
    Diff,
    LineChart,
    Paragraph,
    Point,
    Series,
    Table,
    Text,
)
from utils.runs.directory import Run

PAIRS_SHOWN = 6
CLUSTERS_SHOWN = 10
LONGEST = 3000


def duplicate_blocks(run: Run, config: CleanConfig, reports: Sequence[Mapping[str, Any]]) -> list[Block]:
    """Return what is shown of duplicates."""
    found = pl.read_parquet(run.path / DUPLICATES_FILE, glob=False)
    near = found.filter(pl.col("reason") == NEAR)
    blocks: list[Block] = [*_numbers(found, reports), *_clusters(found), *_pairs(run, near)]
    blocks += _references(run)
    if config.duplicates.near is not None:
        blocks.append(
            _curve(config.duplicates.near.bands, config.duplicates.near.rows, config.duplicates.near.threshold)
        )
    return blocks


def _numbers(found: pl.DataFrame, reports: Sequence[Mapping[str, Any]]) -> list[Block]:
    if found.is_empty():
        return [Paragraph(Text("No row repeats another.", "没有重复的行。"))]
    counts = found["reason"].value_counts(sort=True).iter_rows()
    bars = [Bar(reason, count, "bad") for reason, count in counts]
    caption = Text("rows that repeat a row that stays", "与保留行重复的行")
    groups = sum(report.get("rows", 0) for report in reports if report["unit"] == "prompt-groups")
    blocks: list[Block] = [BarList(bars, None, caption)]
    if groups:
        en = f"{groups:,} kept rows share their prompt with another and differ in the answer: material for preferences."
        zh = f"{groups:,} 行保留数据与其他行提示相同而回答不同，可作偏好数据素材。"
        blocks.append(Paragraph(Text(en, zh)))
    return blocks


def _clusters(found: pl.DataFrame) -> list[Block]:
    sizes = found.group_by("cluster").agg(pl.len().alias("rows"), pl.col("similarity").min().alias("least"))
    largest = sizes.sort(["rows", "cluster"], descending=[True, False]).head(CLUSTERS_SHOWN)
    if largest.is_empty():
        return []
    columns = [
        Column(Text("survivor", "保留的行"), "code"),
        Column(Text("rows dropped", "剔除行数"), "integer"),
        Column(Text("least similarity", "最低相似度"), "number", 3),
    ]
    rows: list[list[Cell]] = [[str(cluster), int(count), float(least)] for cluster, count, least in largest.iter_rows()]
    return [Details(Text("The largest clusters", "最大的簇"), [Table(columns, rows)])]


def _pairs(run: Run, near: pl.DataFrame) -> list[Block]:
    """Show some near duplicates beside the row they repeat: least similar first, they are the ones to doubt."""
    shown = near.sort("similarity", "part", "source_row").head(PAIRS_SHOWN)
    parts = load_parts(run.path)
    texts = _texts(parts, shown)
    blocks: list[Block] = []
    for line in shown.iter_rows(named=True):
        dropped, other = texts.get((line["part"], line["source_row"])), texts.get(line["duplicate_of"])
        if dropped is not None and other is not None:
            title = f"near_duplicate · {line['similarity']:.3f} · {line['duplicate_of']}"
            blocks.append(Diff(other[:LONGEST], dropped[:LONGEST], title))
    if blocks:
        en = "The least alike: on the left the row it repeats, on the right the one that was dropped."
        blocks.insert(0, Paragraph(Text(en, "最不相似的几对：左为保留（或邻近）的行，右为剔除的行。")))
    return blocks


def _texts(parts: Sequence[Part], shown: pl.DataFrame) -> dict[Any, str]:
    """Return the compared texts of some rows, by (part, source_row), and of those that they repeat, by id."""
    keys: list[Any] = []
    rows: list[int] = []
    places = set(shown.select("part", "source_row").iter_rows())
    ids = set(shown["duplicate_of"])
    for part in parts:
        columns = part.columns("id", "source_row")
        for at, (given, number) in enumerate(
            zip(columns["id"].to_pylist(), columns["source_row"].to_pylist(), strict=True)
        ):
            if (part.name, number) in places:
                keys.append((part.name, number))
                rows.append(part.offset + at)
            elif given in ids:
                keys.append(given)
                rows.append(part.offset + at)
    if not rows:
        return {}
    texts, _ = Texts(list(parts)).read(np.array(rows, np.uint32))
    return {key: text for key, text in zip(keys, texts.to_pylist(), strict=True) if text}


def _references(run: Run) -> list[Block]:
    """Show what of the reference sets was met in the rows."""
    files = sorted((run.inner / "work" / "reference").glob("*.parquet"))
    if not files:
        return []
    found = pl.concat([pl.read_parquet(file, glob=False) for file in files])
    if found.is_empty():
        return [Paragraph(Text("No row holds a text of the reference sets.", "没有行含有参照集的文本。"), "good")]
    columns = [
        Column(Text("row", "行"), "code"),
        Column(Text("similarity", "相似度"), "number", 3),
        Column(Text("reference", "参照文本")),
        Column(Text("in the row", "行中文本")),
    ]
    lines = found.sort("similarity", "id", descending=[True, False]).head(CLUSTERS_SHOWN)
    rows = [
        [line["id"], float(line["similarity"]), line["reference_text"], line["excerpt"]]
        for line in lines.iter_rows(named=True)
    ]
    caption = Text(
        f"{REFERENCE}: {len(found):,} matches, the first of them", f"{REFERENCE}：共 {len(found):,} 处，部分如下"
    )
    return [Table(columns, rows, caption)]


def _curve(bands: int, rows: int, threshold: float) -> LineChart:
    """Draw how likely two texts are to be compared, by their similarity."""
    points = [Point(similarity, chance) for similarity, chance in collision_curve(bands, rows)]
    title = Text(
        f"Chance that two texts are compared: {bands} bands of {rows}; duplicates from {threshold:g} on",
        f"两文本被比较的概率：{bands} 段 × {rows} 行；相似度不低于 {threshold:g} 视为重复",
    )
    similarity = Text("Jaccard similarity", "Jaccard 相似度")
    return LineChart([Series(Text("compared", "被比较"), points)], title, similarity, style="percent")
