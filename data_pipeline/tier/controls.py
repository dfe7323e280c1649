"""Controls of a tier: selections by chance, to tell what the choosing of rows is worth.

They are drawn from all rows that a tier could have had: not held out, not of an evaluation, not in a seed, whatever
their measures. So a control may share rows with its tier, as a random sample of the same data would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from data_pipeline.tier.families import lots
from data_pipeline.tier.select import HELD_OUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from data_pipeline.tier.config import Control

_PER_OCTAVE = 8  # bins of length: a row and its stand-in differ by less than 9 %


def draw_controls(decided: pl.DataFrame, tier: str, kinds: Sequence[Control], seed: int) -> dict[Control, pl.Series]:
    """Return which rows are in each control of a tier.

    Args:
        decided: every row: `id, lang, tokens, status, reasons, into`.
        tier: the tier's name.
        kinds: `random` has as many rows; `tokens` as many tokens, short by less than a row of the pool that is left;
            `lengths` as many rows of each language and length (bins of 1/8 octave), exchanged within a bin until the
            tokens agree too.
        seed: of the draw.

    Returns:
        A boolean column per kind, in the order of the rows.

    """
    pool = drawable(decided)
    own = decided.filter(pl.col("into") == f"tiers/{tier}")
    drawn: dict[Control, pl.Series] = {}
    for kind in kinds:
        ordered = pool.with_columns(lots(pool["id"], seed, f"control:{kind}:{tier}")).sort("lot", "id")
        if kind == "random":
            chosen = ordered["row"].head(own.height)
        elif kind == "tokens":
            chosen = ordered["row"].filter(pl.Series(filling(ordered["tokens"].to_numpy(), int(own["tokens"].sum()))))
        else:
            chosen = _same_lengths(ordered, own)
        drawn[kind] = pl.Series(kind, np.isin(np.arange(decided.height), chosen.to_numpy()))
    return drawn


def drawable(decided: pl.DataFrame) -> pl.DataFrame:
    """Return `row, id, lang, tokens` of the rows that controls are drawn from: those whose tokens are known."""
    first = pl.col("reasons").list.first().fill_null("")
    barred = (first == "duplicate_id") | first.str.starts_with("evaluation_prompt:")
    barred |= pl.col("into").fill_null("").str.contains(f"^{HELD_OUT}$|^seeds/")
    return decided.with_row_index("row").filter(~barred).select("row", "id", "lang", "tokens").drop_nulls("tokens")


def filling(sizes: NDArray[np.int64], budget: int) -> NDArray[np.bool_]:
    """Tell which sizes are taken, in order, so that their sum comes as near to the budget as it can from below.

    What would exceed the budget is passed over.
    """
    taken = np.cumsum(sizes) <= budget
    left = budget - int(sizes[taken].sum())
    for place in np.flatnonzero(~taken & (sizes <= left)).tolist():
        if sizes[place] <= left:
            taken[place] = True
            left -= int(sizes[place])
    return taken


def _same_lengths(ordered: pl.DataFrame, own: pl.DataFrame) -> pl.Series:
    """Return rows of the pool: as many of each language and length as the tier has."""
    length = ((pl.col("tokens") + 1).log(2) * _PER_OCTAVE).floor().cast(pl.Int64).alias("length")
    wanted = own.group_by("lang", length).agg(wanted=pl.len())
    binned = ordered.with_columns(length).join(wanted, on=["lang", "length"], how="inner", maintain_order="left")
    ranked = binned.with_columns(rank=pl.int_range(pl.len()).over("lang", "length"))
    chosen = (ranked["rank"] < ranked["wanted"]).to_numpy().copy()
    groups = ranked.select(pl.struct("lang", "length").rank("dense"))["lang"].to_numpy()
    _level(ranked["tokens"].to_numpy(), groups, chosen, int(own["tokens"].sum()))
    return ranked["row"].filter(pl.Series(chosen))


def _level(sizes: NDArray[np.int64], groups: NDArray[np.uint32], chosen: NDArray[np.bool_], budget: int) -> None:
    """Exchange one row in each group, where that brings the sum nearer to the budget."""
    off = int(sizes[chosen].sum()) - budget
    for group in np.unique(groups)[::-1]:
        out, into = np.flatnonzero((groups == group) & chosen), np.flatnonzero((groups == group) & ~chosen)
        if not off or not len(into) or not len(out):
            continue
        changes = sizes[into][None, : 1 << 12] - sizes[out][: 1 << 12, None]
        best = int(np.argmin(np.abs(off + changes)))
        one, other = divmod(best, changes.shape[1])
        if abs(off + int(changes[one, other])) < abs(off):
            chosen[out[one]], chosen[into[other]] = False, True
            off += int(changes[one, other])
