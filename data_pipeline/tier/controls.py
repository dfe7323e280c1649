"""Controls of a tier: selections by chance, to tell what the choosing of rows is worth.

They are drawn from all rows that a tier could have had: not held out, not of an evaluation, not in a seed, whatever
their measures. So a control may share rows with its tier, as a random sample of the same data would.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from data_pipeline.tier.families import lots
from data_pipeline.tier.select import HELD_OUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from data_pipeline.tier.config import Control

_PER_OCTAVE = 8  # bins of length: a row and its stand-in differ by less than 9 %
_TRIED = 512  # rows on either side of an exchange
_STARTS = 8
TOLERANCE = 0.01  # of the tier's tokens, beyond which a control's are said to be off


def draw_controls(decided: pl.DataFrame, tier: str, kinds: Sequence[Control], seed: int) -> dict[Control, pl.Series]:
    """Return which rows are in each control of a tier.

    Args:
        decided: every row: `id, lang, tokens, status, reasons, into`.
        tier: the tier's name.
        kinds: `random` has as many rows; `tokens` as many tokens, rows exchanged until no exchange of two
            comes nearer; `lengths` as many rows of each language and length (bins of 1/8 octave), exchanged within a
            bin likewise.
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
            chosen = _same_tokens(ordered, own)
        else:
            chosen = _same_lengths(ordered, own)
        drawn[kind] = pl.Series(kind, np.isin(np.arange(decided.height), chosen.to_numpy()))
    return drawn


def tokens_off(into: Mapping[str, Any], tiers: Sequence[str], kinds: Sequence[Control]) -> dict[str, float]:
    """Return by which share of the tier's tokens each control of tokens or lengths is over (below 0: short of) them."""
    found = {}
    for tier, kind in itertools.product(tiers, [kind for kind in kinds if kind != "random"]):
        wanted, had = into[f"tiers/{tier}"]["tokens"], into[f"controls/{tier}-{kind}"]["tokens"]
        found[f"{tier}-{kind}"] = (had - wanted) / max(1, wanted)
    return found


def drawable(decided: pl.DataFrame) -> pl.DataFrame:
    """Return `row, id, lang, tokens` of the rows that controls are drawn from: those whose tokens are known."""
    first = pl.col("reasons").list.first().fill_null("")
    barred = (first == "duplicate_id") | first.str.starts_with("evaluation_prompt:")
    barred |= pl.col("into").fill_null("").str.contains(f"^{HELD_OUT}$|^seeds/")
    return decided.with_row_index("row").filter(~barred).select("row", "id", "lang", "tokens").drop_nulls("tokens")


def filling(sizes: NDArray[np.int64], budget: int) -> NDArray[np.bool_]:
    """Tell which sizes are taken, in order, so that their sum comes near to the budget from below.

    What would exceed the budget is passed over.
    """
    taken = np.cumsum(sizes) <= budget
    left = budget - int(sizes[taken].sum())
    for place in np.flatnonzero(~taken & (sizes <= left)).tolist():
        if sizes[place] <= left:
            taken[place] = True
            left -= int(sizes[place])
    return taken


def _same_tokens(ordered: pl.DataFrame, own: pl.DataFrame) -> pl.Series:
    """Return rows of the pool that have as many tokens as the tier.

    Exchanges can end in a place that no pair leads out of; then it is tried again from another row on.
    """
    sizes, budget = ordered["tokens"].to_numpy(), int(own["tokens"].sum())
    found: list[tuple[int, NDArray[np.int64]]] = []
    for start in range(_STARTS):
        order = np.roll(np.arange(len(sizes)), -(start * len(sizes) // _STARTS))
        mine = sizes[order]
        chosen = filling(mine, budget)
        _level(mine, np.zeros(len(mine), np.uint32), chosen, budget, alone=True)
        found.append((abs(int(mine[chosen].sum()) - budget), np.sort(order[chosen])))
        if found[-1][0] <= TOLERANCE * budget:
            break
    return ordered["row"].gather(min(found, key=lambda one: one[0])[1])


def _same_lengths(ordered: pl.DataFrame, own: pl.DataFrame) -> pl.Series:
    """Return rows of the pool: as many of each language and length as the tier has."""
    length = ((pl.col("tokens") + 1).log(2) * _PER_OCTAVE).floor().cast(pl.Int64).alias("length")
    wanted = own.group_by("lang", length).agg(wanted=pl.len())
    binned = ordered.with_columns(length).join(wanted, on=["lang", "length"], how="inner", maintain_order="left")
    ranked = binned.with_columns(rank=pl.int_range(pl.len()).over("lang", "length"))
    chosen = (ranked["rank"] < ranked["wanted"]).to_numpy().copy()
    groups = ranked.select(pl.struct("lang", "length").rank("dense"))["lang"].to_numpy()
    _level(ranked["tokens"].to_numpy(), groups, chosen, int(own["tokens"].sum()), alone=False)
    return ranked["row"].filter(pl.Series(chosen, dtype=pl.Boolean))


def _level(
    sizes: NDArray[np.int64], groups: NDArray[np.uint32], chosen: NDArray[np.bool_], budget: int, *, alone: bool
) -> None:
    """Exchange rows within their groups, a pair at a time, while that brings the sum nearer to the budget.

    With `alone` a row may also come or go without another in its place.
    """
    off = int(sizes[chosen].sum()) - budget
    before = off + 1
    while off and off != before:
        before = off
        for group in np.unique(groups)[::-1]:
            off += _exchange(sizes, groups == group, chosen, off, alone=alone)


def _exchange(
    sizes: NDArray[np.int64], group: NDArray[np.bool_], chosen: NDArray[np.bool_], off: int, *, alone: bool
) -> int:
    """Make the exchange in a group that brings the sum nearest to the budget; return by how much it changed the sum."""
    out, into = np.flatnonzero(group & chosen)[:_TRIED], np.flatnonzero(group & ~chosen)[:_TRIED]
    nobody = [0] if alone else []
    leaving, coming = np.append(sizes[out], nobody).astype(np.int64), np.append(sizes[into], nobody).astype(np.int64)
    if not off or not len(leaving) or not len(coming):
        return 0
    changes = coming[None, :] - leaving[:, None]
    one, other = divmod(int(np.argmin(np.abs(off + changes))), changes.shape[1])
    change = int(changes[one, other])
    if abs(off + change) >= abs(off):
        return 0
    chosen[out[one : one + 1]], chosen[into[other : other + 1]] = False, True
    return change
