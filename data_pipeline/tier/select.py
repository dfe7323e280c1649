"""Who goes where: plain functions on a frame of rows and their measures, one decision per row.

The order is the contract: a repeated row, then rows that repeat an evaluation, then the held-out families, then rows
without measures, then floors, then bands, then what a tier has no room for, then seeds. A row that is decided is out
of reach of what comes after; limits and seeds look at what the bands took.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import polars as pl

from data_pipeline.tier.families import lots
from data_pipeline.tier.limits import choose, in_order, lists_of

if TYPE_CHECKING:
    import numpy as np

    from data_pipeline.tier.choices import Band, Seed
    from data_pipeline.tier.config import TierConfig

    Vectors = Callable[[pl.Series], np.ndarray]

HELD_OUT = "held_out"


def decide(rows: pl.DataFrame, config: TierConfig, vectors: Vectors | None = None) -> pl.DataFrame:
    """Return the rows with `status, reasons, into, band`.

    Args:
        rows: `id, lang, family` and one column per name in `config.columns`; null where it was not measured. With
            `evaluation`, rows where it is not null repeat an evaluation's prompt; limits need `tokens`, and `source`
            where a quota is by it.
        config: floors, bands, limits, seeds.
        vectors: gives float32 [n, d] of length 1 for n ids; needed where a tier compares rows.

    Returns:
        The same rows in the same order with `status` (kept, dropped, quarantined), `reasons` (all of them), `into`:
        `held_out`, `tiers/<name>` or `seeds/<name>`, null unless kept, and `band`: the tier whose band the row is in,
        whether or not it was taken.

    """
    frame = rows.with_columns(
        status=pl.lit(None, pl.String), reasons=pl.lit([], pl.List(pl.String)), into=pl.lit(None, pl.String)
    )
    frame = _settle(frame, ~pl.col("id").is_first_distinct(), "dropped", [pl.lit("duplicate_id")])
    if "evaluation" in frame.columns:
        found = pl.format("evaluation_prompt:{}", "evaluation")
        frame = _settle(frame, pl.col("evaluation").is_not_null(), "dropped", [found])
    frame = hold_out(frame, config.held_out, config.seed)
    frame = unmeasured(frame, [*config.columns, *([config.diversity.vector] if config.diversity.vector else [])])
    frame = below_floor(frame, config)
    frame = into_bands(frame, config)
    frame = frame.with_columns(
        band=pl.when(pl.col("into").str.starts_with("tiers/")).then(pl.col("into").str.strip_prefix("tiers/"))
    )
    for band in config.bands:
        frame = within_limits(frame, band, config, vectors)
    for seed in config.seeds:
        frame = draw_seed(frame, seed, config.seed)
    return frame


def hold_out(frame: pl.DataFrame, share: float, seed: int) -> pl.DataFrame:
    """Keep whole prompt families, `share` of them, for evaluation."""
    chosen = lots(frame["family"], seed, HELD_OUT) < share
    return _settle(frame, pl.lit(chosen), "kept", [], into=pl.lit(HELD_OUT))


def unmeasured(frame: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """Quarantine rows that lack a measure: there is no default."""
    missing = {name: _missing(name, frame.schema[name]) for name in columns}
    reasons = [pl.when(absent).then(pl.lit(f"no_attribute:{name}")) for name, absent in missing.items()]
    return _settle(frame, pl.any_horizontal(*missing.values()), "quarantined", reasons)


def _missing(name: str, kind: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    return column.is_null() | column.is_nan() if kind.is_float() else column.is_null()


def below_floor(frame: pl.DataFrame, config: TierConfig) -> pl.DataFrame:
    """Drop rows below any floor, naming every floor that they miss."""
    if not config.floor:
        return frame
    misses = [pl.col(floor.attribute).cast(pl.Float64) < floor.minimum for floor in config.floor]
    reasons = [
        pl.when(miss).then(pl.lit(f"below_floor:{floor.attribute}"))
        for miss, floor in zip(misses, config.floor, strict=True)
    ]
    return _settle(frame, pl.any_horizontal(*misses), "dropped", reasons)


def into_bands(frame: pl.DataFrame, config: TierConfig) -> pl.DataFrame:
    """Put every row that is left into its band; drop those that no band wants."""
    if config.bands[0].quantiles is None:
        measure = pl.col(config.difficulty).cast(pl.Float64)  # in 32 bits a limit would be rounded
        inside = [(measure >= band.limits[0]) & (measure < band.limits[1]) for band in config.bands]
    else:
        frame = _ranked(frame, config.difficulty, per_language=config.per_language)
        inside = [_between_ranks(band) for band in config.bands]
    for band, wanted in zip(config.bands, inside, strict=True):
        frame = _settle(frame, wanted, "kept", [], into=pl.lit(f"tiers/{band.name}"))
    frame = _settle(frame, pl.lit(value=True), "dropped", [pl.lit("no_band")])
    return frame.drop("rank", "among", strict=False)


def _ranked(frame: pl.DataFrame, difficulty: str, *, per_language: bool) -> pl.DataFrame:
    """Add `rank` (from 0) and `among` (their number), over the undecided rows, of a language or of all."""
    waiting = frame.with_row_index("row").filter(pl.col("status").is_null())
    group = pl.col("lang") if per_language else pl.lit("")
    ordered = waiting.sort(difficulty, "id").with_columns(group=group)
    ranks = ordered.select(
        "row", rank=pl.int_range(pl.len()).over("group").cast(pl.Float64), among=pl.len().over("group").cast(pl.Float64)
    )
    return frame.with_row_index("row").join(ranks, on="row", how="left", maintain_order="left").drop("row")


def _between_ranks(band: Band) -> pl.Expr:
    """Tell which ranks are in a band: from ⌊low·n⌋ up to but without ⌊high·n⌋."""
    low, high = ((pl.col("among") * limit + 1e-9).floor() for limit in band.limits)
    return (pl.col("rank") >= low) & (pl.col("rank") < high)


def within_limits(frame: pl.DataFrame, band: Band, config: TierConfig, vectors: Vectors | None) -> pl.DataFrame:
    """Drop the rows of a tier that its budget, quotas, clusters or likeness to better rows leave no room for."""
    compared = config.diversity.embedding is not None
    if not (compared or config.quotas or config.diversity.cluster or band.rows or band.tokens):
        return frame
    mine = frame.with_row_index("row").filter(pl.col("into") == f"tiers/{band.name}")
    ordered = in_order(mine, config.diversity.first, config.seed, band.name)
    known = vectors(ordered["id"]) if compared and vectors is not None else None
    refused = pl.DataFrame(
        {"row": ordered["row"], "refused": choose(ordered, band, config, known)},
        schema={"row": pl.UInt32, "refused": pl.List(pl.String)},
    ).filter(pl.col("refused").list.len() > 0)
    joined = frame.with_row_index("row").join(refused, on="row", how="left", maintain_order="left").drop("row")
    out = pl.col("refused").is_not_null()
    return joined.with_columns(
        status=pl.when(out).then(pl.lit("dropped")).otherwise("status"),
        reasons=pl.when(out).then("refused").otherwise("reasons"),
        into=pl.when(out).then(pl.lit(None, pl.String)).otherwise("into"),
    ).drop("refused")


def draw_seed(frame: pl.DataFrame, seed: Seed, number: int) -> pl.DataFrame:
    """Move whole prompt families from a tier into a seed until it has its rows, in the order of their lots.

    With `spread` the first family of each value comes before the second of any. Families of which an earlier seed has
    a row stay where they are.
    """
    taken = frame.filter(pl.col("into").str.starts_with("seeds/")).select("family").unique()
    tier = frame.filter(pl.col("into") == f"tiers/{seed.tier}")
    wanted = seed.rows if seed.rows is not None else int((seed.share or 0) * tier.height + 1e-9)
    values = [""] * tier.height if seed.spread is None else [min(v, default="") for v in lists_of(tier[seed.spread])]
    left = tier.with_columns(value=pl.Series(values, dtype=pl.String)).join(taken, on="family", how="anti")
    families = left.group_by("family").agg(rows=pl.len(), value=pl.col("value").min()).sort("family")
    families = families.with_columns(lots(families["family"], number, f"seed:{seed.name}"))
    turn = pl.col("lot").rank("ordinal").over("value") if seed.spread else pl.lit(0)
    families = families.with_columns(turn=turn).sort("turn", "lot", "family")
    chosen = families.filter(pl.col("rows").cum_sum() - pl.col("rows") < wanted)["family"]
    moved = (pl.col("into") == f"tiers/{seed.tier}") & pl.col("family").is_in(chosen.implode())
    return frame.with_columns(into=pl.when(moved).then(pl.lit(f"seeds/{seed.name}")).otherwise("into"))


def _settle(
    frame: pl.DataFrame, which: pl.Expr, status: str, reasons: Sequence[pl.Expr], into: pl.Expr | None = None
) -> pl.DataFrame:
    """Decide the undecided rows that `which` marks."""
    now = pl.col("status").is_null() & which.fill_null(value=False)
    why = pl.concat_list(reasons).list.drop_nulls() if reasons else pl.lit([], pl.List(pl.String))
    return frame.with_columns(
        status=pl.when(now).then(pl.lit(status)).otherwise("status"),
        reasons=pl.when(now).then(why).otherwise("reasons"),
        into=pl.when(now).then(into if into is not None else pl.lit(None, pl.String)).otherwise("into"),
    )
