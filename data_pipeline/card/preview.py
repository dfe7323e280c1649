"""Some rows to look at, drawn by lot and spread over sets and languages; none of unknown licence (S13)."""

from __future__ import annotations

from typing import Any

import polars as pl

from data_pipeline.card.config import CardConfig
from data_pipeline.card.coverage import counting
from data_pipeline.card.rows import batches, sets_of
from data_pipeline.tier.families import lots


def preview(frame: pl.DataFrame, config: CardConfig) -> list[dict[str, Any]]:
    """Return chosen rows as `{"set", "clean_id", "source", "lang", "messages"}`.

    They are of the tiers, or of all sets where there are no tiers: held-out rows are not given away. Every
    set and language gives one row after another until there are enough.
    """
    chosen = _chosen(frame, config)
    wanted = set(chosen.select("set", "id").iter_rows())
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for name, path in sets_of(config).items():
        left = {identity for of_set, identity in wanted if of_set == name}
        for batch in batches(path, config.format) if left else ():
            for row in batch.filter(pl.col("id").is_in(list(left))).to_dicts():
                shown = {key: row[key] for key in ("source", "lang", "messages")}
                found.setdefault((name, row["id"]), {"set": name, "clean_id": row["id"], **shown})
    return [found[key] for key in chosen.select("set", "id").iter_rows()]


def _chosen(frame: pl.DataFrame, config: CardConfig) -> pl.DataFrame:
    open_rows = counting(frame).filter(pl.col("held_back").is_null())
    open_rows = open_rows.unique(["set", "id"], keep="first", maintain_order=True)
    drawn = open_rows.with_columns(lots(open_rows["id"], config.seed, "preview"))
    turn = pl.col("lot").rank("ordinal").over("set", "lang")
    return drawn.sort("lot", "id").with_columns(turn=turn).sort("turn", "set", "lang").head(config.preview_rows)
