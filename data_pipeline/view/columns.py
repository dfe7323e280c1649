"""What a column of the map is to the eye: categories, numbers, tags, or text that is only read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from utils.errors import UserError, nearest

Kind = Literal["category", "number", "tags", "text"]

NULL = "–"
PALETTE = (
    *("#0d7f86", "#d9730d", "#5b5fc7", "#c0327e", "#6f8f1d", "#b3202c", "#2f86d1", "#9a6b34", "#8d4fb8", "#2d9c5c"),
    *("#e0a100", "#5f7f9c", "#e0686b", "#3e6b3c", "#a3508c", "#00a3c4", "#7d6b00", "#7a5af0", "#b98b78", "#4c5a66"),
)
"""Colours of categories by falling size, readable on light and dark ground; the 21st begins anew."""
RAMP = ("#352a6b", "#33568f", "#2a7f8e", "#35a67c", "#8cc554", "#f2d338")
"""Colours of numbers, from low to high."""

_MOST = 2000  # categories of a column; with more it is text
_BESIDE = ("id", "x", "y", "text")


@dataclass(frozen=True, slots=True)
class MapColumn:
    """A column that can be seen.

    Args:
        name: as in `map.parquet`.
        kind: how it is shown.
        names: of categories and tags: by falling number of rows, then by name.
        values: category: codes uint16 [n]. number: float32 [n], NaN where null. tags: codes uint16 of all rows, end to
            end. text: none.
        counts: tags: how many each row has, uint8 [n].

    """

    name: str
    kind: Kind
    names: tuple[str, ...] = ()
    values: np.ndarray | None = None
    counts: np.ndarray | None = None


def map_columns(frame: pl.DataFrame) -> list[MapColumn]:
    """Return what can be seen of a map's rows, clusters under `number name`."""
    merged = _with_cluster_names(frame)
    return [_column(merged[name]) for name in merged.columns if name not in _BESIDE]


def chosen(columns: list[MapColumn], wanted: str | None) -> MapColumn:
    """Return the column that the map is coloured by.

    Raises:
        UserError: there is no such column, or it is plain text.

    """
    coloured = {column.name: column for column in columns if column.kind != "text"}
    if wanted is None:
        found = next((name for name in coloured if name.endswith("cluster")), None)
        return coloured[found or ("tier" if "tier" in coloured else "source")]
    if wanted not in coloured:
        mend = nearest(wanted, coloured) or f"there are {', '.join(coloured)}"
        raise UserError(f"no column {wanted!r} to colour by", where="colour", mend=mend)
    return coloured[wanted]


def _with_cluster_names(frame: pl.DataFrame) -> pl.DataFrame:
    """Join every `x.cluster` with its `x.cluster_name`: two clusters may have one name."""
    for name in [column for column in frame.columns if f"{column}_name" in frame.columns]:
        label = pl.col(name).cast(pl.String) + " " + pl.col(f"{name}_name")
        frame = frame.with_columns(label.alias(name)).drop(f"{name}_name")
    return frame


def _column(series: pl.Series) -> MapColumn:
    if series.dtype == pl.Boolean:
        series = series.cast(pl.String)
    if series.dtype.is_numeric():
        return MapColumn(series.name, "number", values=series.cast(pl.Float32).fill_null(np.nan).to_numpy())
    if isinstance(series.dtype, pl.List):
        return _tags(series)
    named = series.cast(pl.String).fill_null(NULL)
    names = _by_size(named)
    if len(names) > _MOST or (series.name != "source" and len(names) > max(50, len(series) // 2)):
        return MapColumn(series.name, "text")
    codes = named.replace_strict(list(names), list(range(len(names))), return_dtype=pl.UInt16)
    return MapColumn(series.name, "category", names, codes.to_numpy())


def _tags(series: pl.Series) -> MapColumn:
    """Return a column of lists; a row has at most 255 tags that are shown, and only the `_MOST` most used ones are."""
    lists = series.cast(pl.List(pl.String)).fill_null([]).list.drop_nulls().list.head(255)
    names = _by_size(lists.explode().drop_nulls())[:_MOST]
    if not names:
        return MapColumn(series.name, "text")
    known = lists.to_frame("tags").select(pl.col("tags").list.eval(pl.element().filter(pl.element().is_in(names))))[
        "tags"
    ]
    flat = known.explode().drop_nulls()
    codes = flat.replace_strict(list(names), list(range(len(names))), return_dtype=pl.UInt16)
    return MapColumn(series.name, "tags", names, codes.to_numpy(), known.list.len().cast(pl.UInt8).to_numpy())


def _by_size(values: pl.Series) -> tuple[str, ...]:
    counted = values.alias("name").to_frame().group_by("name").len().sort(["len", "name"], descending=[True, False])
    return tuple(counted["name"].to_list())


def rgb(colours: tuple[str, ...]) -> np.ndarray:
    """Return colours written `#rrggbb` as uint8 [n, 3]."""
    return np.array([list(bytes.fromhex(colour[1:])) for colour in colours], dtype=np.uint8)
