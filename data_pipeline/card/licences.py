"""What of the rows may go out: licences of sources and of the models that wrote answers (S13)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from data_pipeline.card.config import CardConfig
from data_pipeline.card.coverage import counting
from data_pipeline.exports.licences import licence_of


def by_licence(frame: pl.DataFrame, column: str, licences: Mapping[str, str]) -> dict[str, Any]:
    """Return licence, rows and tokens of every source, or of every model."""
    table = frame.group_by(column).agg(pl.len().alias("rows"), pl.col("tokens").sum()).sort(column)
    return {
        name: {"licence": licence_of(name, licences), "rows": rows, "tokens": tokens}
        for name, rows, tokens in table.iter_rows()
    }


def exportable(frame: pl.DataFrame, config: CardConfig) -> dict[str, Any]:
    """Return what `posttrain export` would let out, as far as licences go.

    Returns:
        `rows` by set, `held_back` by reason over all sets, and of the rows that may go out of the tiers (of all sets
        but the held-out rows where there are none) `licences` and `languages`.

    """
    out = frame.filter(pl.col("held_back").is_null())
    told = counting(out.filter(pl.col("set") != "held_out"))
    sources = told["source"].unique().to_list()
    models = told["models"].explode().drop_nulls().unique().to_list()
    licences = {licence_of(source, config.licences) for source in sources}
    why = frame.drop_nulls("held_back").group_by("held_back").len().sort("held_back")
    return {
        "rows": {name: out.filter(pl.col("set") == name).height for name in frame["set"].unique(maintain_order=True)},
        "held_back": dict(why.iter_rows()),
        "licences": sorted(licences | {licence_of(model, config.model_licences) for model in models}),
        "languages": sorted(told["lang"].unique().to_list()),
    }
