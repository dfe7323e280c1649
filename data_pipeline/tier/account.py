"""`tiers.json`: what lies in every file of a run, what each step took away, how far budgets and quotas were filled."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import polars as pl

from data_pipeline.tier.controls import tokens_off
from data_pipeline.tier.limits import fillings, lists_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from data_pipeline.tier.config import TierConfig

Numbers = dict[str, Any]

TENTHS = tuple(n / 10 for n in range(11))
VALUES = 30  # of a tag or cluster, the most frequent, that the account holds
# What falls at each step, by the beginning of its first reason; what a tier has no room for is the rest.
STEPS = ("duplicate_id", "evaluation_prompt", "held_out", "no_attribute", "below_floor", "no_band", "no_room")


def account_of(
    decided: pl.DataFrame, targets: Mapping[str, pl.Series], misfits: dict[str, int], config: TierConfig
) -> Numbers:
    """Return what a run has made.

    Args:
        decided: every row with its decision and measures.
        targets: which rows are in each file, by its name (`tiers/…`, `seeds/…`, `controls/…`, `held_out`).
        misfits: rows that a format could not hold, by file.
        config: bands, quotas, seeds, controls.

    Returns:
        `into`: per target `rows, tokens`, rows by `lang`, `source` and by values of quotas (`values`), and deciles of
        the measures (`deciles`, null where it has no rows). `steps`: rows that fell at each step. `tiers`: per tier
        the candidates of its band, its budget, its quotas and why rows were refused (a row may have several reasons).
        `seeds`: per seed its tier and what was wanted. `controls`: by which share tokens are off. `misfits`.

    """
    into = {name: _target(decided.filter(inside), config) for name, inside in targets.items()}
    return {
        "into": into,
        "steps": _steps(decided),
        "tiers": {band.name: _tier(decided, band.name, config) for band in config.bands},
        "seeds": {seed.name: {"from": seed.tier, "share": seed.share, "rows": seed.rows} for seed in config.seeds},
        "controls": tokens_off(into, [band.name for band in config.bands], config.controls),
        "misfits": misfits,
    }


def measures_of(config: TierConfig) -> list[str]:
    """Return the measures whose deciles are told, the difficulty first."""
    named = [config.difficulty, "tokens", *(floor.attribute for floor in config.floor), *config.diversity.first]
    return list(dict.fromkeys(named))


def _target(rows: pl.DataFrame, config: TierConfig) -> Numbers:
    by = {name: dict(rows.group_by(name).len().sort(name).iter_rows()) for name in ("lang", "source")}
    tagged = [quota.by for quota in config.quotas if "." in quota.by]
    values = {name: _most(Counter(value for values in lists_of(rows[name]) for value in values)) for name in tagged}
    families = rows["family"].n_unique()
    deciles = {name: _deciles(rows[name]) for name in measures_of(config)}
    counted = {"rows": rows.height, "tokens": int(rows["tokens"].sum()), "families": families}
    return {**counted, **by, "values": values, "deciles": deciles}


def _most(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:VALUES])


def _deciles(column: pl.Series) -> list[float] | None:
    known = column.cast(pl.Float64).drop_nulls().drop_nans()
    return [float(known.quantile(part, "nearest") or 0.0) for part in TENTHS] if len(known) else None


def _steps(decided: pl.DataFrame) -> dict[str, int]:
    first = pl.col("reasons").list.first().str.split(":").list.first()
    step = pl.when(pl.col("into") == "held_out").then(pl.lit("held_out")).otherwise(first)
    rest = decided.select(step=step).drop_nulls().to_series()
    fell = Counter(name if name in STEPS else "no_room" for name in rest)
    return {name: fell[name] for name in STEPS}


def _tier(decided: pl.DataFrame, name: str, config: TierConfig) -> Numbers:
    band = next(band for band in config.bands if band.name == name)
    mine = decided.filter(pl.col("band") == name).with_columns(taken=pl.col("status") == "kept")
    refused = Counter(reason for reasons in mine["reasons"].to_list() for reason in reasons)
    return {
        "candidates": mine.height,
        "taken": int(mine["taken"].sum()),
        "budget": {"rows": band.rows, "tokens": band.tokens},
        "quotas": fillings(mine, band, config),
        "refused": dict(sorted(refused.items(), key=lambda item: (-item[1], item[0]))),
    }
