"""Who goes where: plain functions on a frame of rows and their measures, one decision per row.

The order is the contract: a repeated row, then the held-out families, then rows without measures, then floors, then
bands, then seeds. A row that is decided is out of reach of what comes after.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from data_pipeline.tier.config import Band, Seed, TierConfig
from data_pipeline.tier.families import lots

HELD_OUT = "held_out"


def decide(rows: pl.DataFrame, config: TierConfig) -> pl.DataFrame:
    """Return the rows with `status, reasons, into`.

    Args:
        rows: `id, lang, family` and one column per name in `config.columns`; null where it was not measured.
        config: floors, bands, seeds.

    Returns:
        The same rows in the same order with `status` (kept, dropped, quarantined), `reasons` (all of them) and
        `into`: `held_out`, `tiers/<name>` or `seeds/<name>`, null unless kept.

    """
    frame = rows.with_columns(
        status=pl.lit(None, pl.String), reasons=pl.lit([], pl.List(pl.String)), into=pl.lit(None, pl.String)
    )
    frame = _settle(frame, ~pl.col("id").is_first_distinct(), "dropped", [pl.lit("duplicate_id")])
    frame = hold_out(frame, config.held_out, config.seed)
    frame = unmeasured(frame, config.columns)
    frame = below_floor(frame, config)
    frame = into_bands(frame, config)
    for seed in config.seeds:
        frame = draw_seed(frame, seed, config.seed)
    return frame


def hold_out(frame: pl.DataFrame, share: float, seed: int) -> pl.DataFrame:
    """Keep whole prompt families, `share` of them, for evaluation."""
    chosen = lots(frame["family"], seed, HELD_OUT) < share
    return _settle(frame, pl.lit(chosen), "kept", [], into=pl.lit(HELD_OUT))


def unmeasured(frame: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """Quarantine rows that lack a measure: there is no default."""
    missing = {name: pl.col(name).is_null() | pl.col(name).cast(pl.Float64).is_nan() for name in columns}
    reasons = [pl.when(absent).then(pl.lit(f"no_attribute:{name}")) for name, absent in missing.items()]
    return _settle(frame, pl.any_horizontal(*missing.values()), "quarantined", reasons)


def below_floor(frame: pl.DataFrame, config: TierConfig) -> pl.DataFrame:
    """Drop rows below any floor, naming every floor that they miss."""
    if not config.floor:
        return frame
    misses = [pl.col(floor.attribute) < floor.minimum for floor in config.floor]
    reasons = [
        pl.when(miss).then(pl.lit(f"below_floor:{floor.attribute}"))
        for miss, floor in zip(misses, config.floor, strict=True)
    ]
    return _settle(frame, pl.any_horizontal(*misses), "dropped", reasons)


def into_bands(frame: pl.DataFrame, config: TierConfig) -> pl.DataFrame:
    """Put every row that is left into its band; drop those that no band wants."""
    if config.bands[0].quantiles is None:
        measure = pl.col(config.difficulty)
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


def draw_seed(frame: pl.DataFrame, seed: Seed, number: int) -> pl.DataFrame:
    """Move whole prompt families from a tier into a seed until it has its rows, in the order of their lots.

    Families of which an earlier seed has a row stay where they are.
    """
    taken = frame.filter(pl.col("into").str.starts_with("seeds/")).select("family").unique()
    tier = frame.filter(pl.col("into") == f"tiers/{seed.tier}")
    wanted = seed.rows if seed.rows is not None else int((seed.share or 0) * tier.height + 1e-9)
    families = tier.join(taken, on="family", how="anti").group_by("family").len("rows").sort("family")
    families = families.with_columns(lots(families["family"], number, f"seed:{seed.name}")).sort("lot", "family")
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
