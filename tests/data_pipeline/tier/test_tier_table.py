"""Sixty rows made by hand: exact membership, quotas, budgets, and what moves when a threshold does."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from data_pipeline.tier.config import TierConfig
from data_pipeline.tier.controls import draw_controls, filling, tokens_off
from data_pipeline.tier.limits import choose, fillings, in_order
from data_pipeline.tier.replay import summed
from data_pipeline.tier.select import decide

# Row n of 0..59: difficulty n / 12 (0 to 4.92), quality n mod 6, Chinese when even, 10 + n tokens, source by thirds,
# tag maths when n is divisible by 5, cluster n mod 4.
HAND = pl.DataFrame(
    {
        "id": [f"{n:02d}" for n in range(60)],
        "family": [f"f{n:02d}" for n in range(60)],
        "lang": ["zh" if n % 2 == 0 else "en" for n in range(60)],
        "source": ["a" if n < 20 else "b" if n < 40 else "c" for n in range(60)],
        "tokens": [10 + n for n in range(60)],
        "d.hard": [n / 12 for n in range(60)],
        "q.good": [n % 6 for n in range(60)],
        "t.tags": [["maths"] if n % 5 == 0 else [] for n in range(60)],
        "c.cluster": [str(n % 4) for n in range(60)],
    }
)
MATHS_FIRST = HAND.with_columns(pl.Series("q.maths", [float(n % 5 == 0) for n in range(60)]))
BASE: dict[str, Any] = {
    "input": "rows",
    "attributes": "measures",
    "output": "run",
    "difficulty": "d.hard",
    "bands": [{"name": "all", "range": [None, None]}],
    "diversity": {"first": ["q.good"]},
}


def config(**keys: Any) -> TierConfig:
    return TierConfig.model_validate({**BASE, **keys})


def decided(rows: pl.DataFrame = HAND, **keys: Any) -> pl.DataFrame:
    return decide(rows, config(**keys))


def members(frame: pl.DataFrame, into: str) -> list[int]:
    return sorted(int(one) for one in frame.filter(pl.col("into") == into)["id"])


def reasons(frame: pl.DataFrame) -> dict[str, int]:
    dropped = frame.filter(pl.col("status") == "dropped")["reasons"].list.join(" ")
    return {name: dropped.to_list().count(name) for name in sorted(set(dropped))}


def balanced(frame: pl.DataFrame) -> bool:
    statuses = frame["status"].to_list()
    kept = frame["into"].is_not_null().to_list()
    return all(s in {"kept", "dropped", "quarantined"} for s in statuses) and [s == "kept" for s in statuses] == kept


def test_the_three_stages_of_phasedsft() -> None:
    # 1 ≤ n/12 ≤ 1.5: n 12 to 18. 1.5 < n/12 < 3.5: 19 to 41. 3.5 ≤ n/12 ≤ 5: 42 to 59. Below 1: 0 to 11.
    frame = decided(bands="phased")
    assert members(frame, "tiers/stage-1") == [*range(12, 19)]
    assert members(frame, "tiers/stage-2") == [*range(19, 42)]
    assert members(frame, "tiers/stage-3") == [*range(42, 60)]
    assert reasons(frame) == {"no_band": 12}
    # The same from 32-bit numbers, in which the next number after 1.5 is not the next of 64 bits.
    narrow = HAND.with_columns(pl.col("d.hard").cast(pl.Float32))
    assert decided(narrow, bands="phased")["into"].equals(frame["into"])


def test_a_floor_and_a_budget_take_the_best() -> None:
    # quality ≥ 2: n mod 6 in 2..5, 40 rows. Best first: the ten of quality 5, then two of the ten of quality 4.
    bands = [{"name": "all", "range": [None, None], "rows": 12}]
    frame = decided(bands=bands, floor=[{"attribute": "q.good", "minimum": 2}])
    taken = members(frame, "tiers/all")
    assert [n for n in taken if n % 6 == 5] == [5, 11, 17, 23, 29, 35, 41, 47, 53, 59]
    assert len([n for n in taken if n % 6 == 4]) == 2
    assert len(taken) == 12
    assert reasons(frame) == {"below_floor:q.good": 20, "budget_full": 28}


def test_a_budget_in_tokens_is_filled_from_below() -> None:
    # quality 5: 15 + 21 + 27 + 33 + 39 + 45 + 51 + 57 + 63 + 69 = 420 tokens, all within 430; 10 are left, which is
    # the size of row 0 alone.
    bands = [{"name": "all", "range": [None, None], "tokens": 430}]
    frame = decided(bands=bands)
    assert members(frame, "tiers/all") == [0, 5, 11, 17, 23, 29, 35, 41, 47, 53, 59]
    assert frame.filter(pl.col("into") == "tiers/all")["tokens"].sum() == 430


def test_quotas_of_language_and_tag_and_what_they_lack() -> None:
    # Budget 20: 12 Chinese and 8 English. Best first, quality 5 are odd numbers, so English: eight of the ten. Chinese:
    # the ten of quality 4, then two of quality 2.
    bands = [{"name": "all", "range": [None, None], "rows": 20}]
    keys = {"bands": bands, "quotas": [{"by": "lang", "share": {"zh": 0.6, "en": 0.4}}]}
    frame = decided(**keys)
    taken = members(frame, "tiers/all")
    assert len([n for n in taken if n % 2]) == 8
    assert {n % 6 for n in taken if n % 2} == {5}
    assert [n for n in taken if n % 6 == 4] == [4, 10, 16, 22, 28, 34, 40, 46, 52, 58]
    assert len([n for n in taken if n % 6 == 2]) == 2
    # Twelve rows are maths; a quota of 15 lacks 3 and keeps its room: five others are all that the budget leaves.
    keys = {"bands": bands, "quotas": [{"by": "t.tags", "rows": {"maths": 15}}]}
    frame = decided(**keys)
    taken = members(frame, "tiers/all")
    assert [n for n in taken if n % 5 == 0] == [*range(0, 60, 5)]
    assert len(taken) == 17
    found = fillings(frame.with_columns(taken=pl.col("status") == "kept"), config(**keys).bands[0], config(**keys))
    assert found == [
        {"by": "t.tags", "value": "*", "unit": "rows", "wanted": 5, "had": 48, "taken": 5, "short": 0, "because": None},
        {
            "by": "t.tags",
            "value": "maths",
            "unit": "rows",
            "wanted": 15,
            "had": 12,
            "taken": 12,
            "short": 3,
            "because": None,
        },
    ]
    assert reasons(frame) == {"quota_full:t.tags=*": 43}
    # Six of the maths rows are Chinese; with room for 4 of these, two are refused and maths lacks two more than it has.
    keys = {"bands": bands, "quotas": [{"by": "t.tags", "rows": {"maths": 12}}, {"by": "lang", "rows": {"zh": 4}}]}
    frame = decided(**keys, diversity={"first": ["q.maths"]}, rows=MATHS_FIRST)
    found = fillings(frame.with_columns(taken=pl.col("status") == "kept"), config(**keys).bands[0], config(**keys))
    (maths,) = [one for one in found if one["value"] == "maths"]
    assert (maths["had"], maths["taken"], maths["short"], maths["because"]) == (12, 10, 2, "quota_full:lang=zh")


def test_sources_and_clusters_are_capped() -> None:
    # At most 2 of source a, 3 of c, none of any other: the two and three of quality 5 (a: 5 11 17; c: 41 47 53 59).
    frame = decided(quotas=[{"by": "source", "rows": {"a": 2, "c": 3, "*": 0}}])
    taken = members(frame, "tiers/all")
    assert len([n for n in taken if n in {5, 11, 17}]) == 2
    assert len([n for n in taken if n in {41, 47, 53, 59}]) == 3
    assert len(taken) == 5
    # Of clusters 1 and 3 (odd rows) the best have quality 5, of 0 and 2 (even) quality 4; two of each.
    frame = decided(diversity={"first": ["q.good"], "cluster": "c.cluster", "cluster_rows": 2})
    taken = members(frame, "tiers/all")
    assert sorted((n % 4, n % 6) for n in taken) == [(0, 4), (0, 4), (1, 5), (1, 5), (2, 4), (2, 4), (3, 5), (3, 5)]
    assert reasons(frame) == {"cluster_full": 52}


def test_rows_like_a_better_one_are_refused() -> None:
    # Two directions: even rows one, odd rows the other, at an angle of 10°. Cosine 0.985 > 0.95: one row is left; at
    # 0.99 one of each direction.
    def vectors(ids: pl.Series) -> np.ndarray:
        angle = np.deg2rad([10.0 * (int(one) % 2) for one in ids])
        return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)

    rows = HAND.with_columns(pl.lit(1.0).alias("e.vector"))
    for similarity, sizes in ((0.95, 1), (0.99, 2)):
        keys = {"diversity": {"first": ["q.good"], "embedding": "e", "similarity": similarity}}
        frame = decide(rows, config(**keys), vectors)
        assert reasons(frame) == {"too_similar": 60 - sizes}
        assert max(n % 6 for n in members(frame, "tiers/all")) == 5
    missing = rows.with_columns(pl.when(pl.col("id") == "07").then(None).otherwise("e.vector").alias("e.vector"))
    assert decide(missing, config(**keys), vectors)["reasons"].to_list()[7] == ["no_attribute:e.vector"]


def test_blocks_of_comparison_are_as_one_by_one() -> None:
    dice = np.random.default_rng(3)
    vectors = dice.normal(size=(1500, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = pl.DataFrame({"id": [f"{n:04d}" for n in range(1500)], "tokens": [1] * 1500})
    keys = {"diversity": {"embedding": "e", "similarity": 0.9}}
    refused = choose(rows, config(**keys).bands[0], config(**keys), vectors)
    kept: list[int] = []
    for place, vector in enumerate(vectors):
        if not any(vector @ vectors[other] > 0.9 for other in kept):
            kept.append(place)
    assert [place for place, why in enumerate(refused) if not why] == kept
    assert 10 < len(kept) < 1400


def test_gained_and_lost_when_the_floor_rises() -> None:
    # quality ≥ 2 keeps 40 rows; ≥ 4 keeps 20. With the best 12 first, a floor of 5 leaves ten: two are lost.
    bands = [{"name": "all", "range": [None, None], "rows": 12}]
    before = decided(bands=bands, floor=[{"attribute": "q.good", "minimum": 2}])
    after = decided(bands=bands, floor=[{"attribute": "q.good", "minimum": 5}])
    place = pl.coalesce("into", "status")
    moved = pl.DataFrame({"id": before["id"], "tokens": before["tokens"]}).with_columns(
        before=before.select(place).to_series(), after=after.select(place).to_series()
    )
    dropped, tier = summed(moved)
    assert (tier["place"], tier["rows"], tier["rows_now"], tier["gained"], tier["lost"]) == ("tiers/all", 12, 10, 0, 2)
    assert tier["tokens_now"] == 420
    assert (dropped["rows"], dropped["rows_now"], dropped["gained"], dropped["lost"]) == (48, 50, 2, 0)


def test_seeds_spread_over_clusters() -> None:
    frame = decided(seeds=[{"name": "round-1", "from": "all", "rows": 8, "spread": "c.cluster"}])
    assert sorted(n % 4 for n in members(frame, "seeds/round-1")) == [0, 0, 1, 1, 2, 2, 3, 3]


FULL: dict[str, Any] = {
    "bands": [
        {"name": "easy", "quantiles": [0, 0.5], "rows": 15},
        {"name": "hard", "quantiles": [0.5, 1], "tokens": 600},
    ],
    "floor": [{"attribute": "q.good", "minimum": 1}],
    "diversity": {"first": ["q.good"], "cluster": "c.cluster", "cluster_rows": 6},
    "quotas": [{"by": "lang", "share": {"zh": 0.5, "en": 0.5}}, {"by": "t.tags", "rows": {"maths": 2}}],
    "seeds": [{"name": "round-1", "from": "easy", "rows": 4, "spread": "t.tags"}],
    "held_out": 0.1,
}


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_input_changes_nothing(seed: int) -> None:
    straight = decided(**FULL)
    mixed = decided(HAND.sample(fraction=1, shuffle=True, seed=seed), **FULL)
    assert mixed.sort("id").equals(straight)
    assert balanced(straight)
    assert {"tiers/easy", "tiers/hard", "seeds/round-1", "held_out"} == {*straight["into"].drop_nulls()}


def test_lots_decide_where_nothing_is_better() -> None:
    orders = [in_order(HAND, (), seed, "all")["id"].to_list() for seed in (1, 1, 2)]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    assert orders[0] != sorted(orders[0])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_controls_have_the_rows_the_tokens_and_the_lengths(seed: int) -> None:
    # 4,000 rows of 10 to 400 tokens; the tier is the best third of the long half, as a floor and a band would have it.
    dice = np.random.default_rng(seed)
    many = pl.DataFrame(
        {
            "id": [f"{n:04d}" for n in range(4000)],
            "family": [f"f{n}" for n in range(4000)],
            "lang": ["zh" if n % 3 else "en" for n in range(4000)],
            "tokens": dice.integers(10, 400, 4000),
            "q.good": dice.integers(0, 3, 4000),
            "evaluation": [("exact" if n % 50 == 0 else None) for n in range(4000)],
        }
    ).with_columns(pl.col("tokens").alias("d.hard"))
    keys = {
        "bands": [{"name": "long", "quantiles": [0.5, 1]}],
        "floor": [{"attribute": "q.good", "minimum": 2}],
        "held_out": 0.1,
        "seeds": [{"name": "round-1", "from": "long", "rows": 50}],
        "seed": seed,
    }
    frame = decided(many, **keys)
    tier = frame.filter(pl.col("into") == "tiers/long")
    drawn = draw_controls(frame, "long", ("random", "tokens", "lengths"), seed)
    taken = {kind: frame.filter(inside) for kind, inside in drawn.items()}
    for control in taken.values():
        assert not {"held_out", "seeds/round-1"} & {*control["into"].drop_nulls()}
        assert control["evaluation"].null_count() == control.height
    assert taken["random"].height == taken["lengths"].height == tier.height
    tokens = int(tier["tokens"].sum())
    assert abs(int(taken["tokens"]["tokens"].sum()) - tokens) <= 0.01 * tokens
    assert abs(int(taken["lengths"]["tokens"].sum()) - tokens) <= 0.01 * tokens
    assert taken["random"]["tokens"].mean() < 0.9 * tier["tokens"].mean()  # type: ignore[operator]
    for share in (0.1, 0.5, 0.9):
        wanted, found = (one["tokens"].quantile(share) for one in (tier, taken["lengths"]))
        assert wanted is not None
        assert found == pytest.approx(wanted, rel=0.1)
    assert taken["lengths"]["lang"].value_counts(sort=True).equals(tier["lang"].value_counts(sort=True))
    assert {*taken["lengths"]["id"]} != {*tier["id"]}
    again = draw_controls(frame.sample(fraction=1, shuffle=True, seed=1), "long", ("tokens",), seed)
    shuffled = frame.sample(fraction=1, shuffle=True, seed=1)
    assert {*shuffled.filter(again["tokens"])["id"]} == {*taken["tokens"]["id"]}


@pytest.mark.parametrize("size", [1, 3, 10, 45])
def test_controls_of_small_tiers_have_the_tokens_too(size: int) -> None:
    # Tiers of the hand-made rows, by chance: 10 to 69 tokens a row.
    for seed in range(10):
        mine = {*HAND.sample(size, seed=seed)["id"]}
        into = pl.when(pl.col("id").is_in(list(mine))).then(pl.lit("tiers/all"))
        frame = HAND.with_columns(reasons=pl.lit([], pl.List(pl.String)), status=pl.lit("kept"), into=into)
        drawn = draw_controls(frame, "all", ("tokens", "lengths"), seed)
        tokens = {kind: int(frame.filter(inside)["tokens"].sum()) for kind, inside in drawn.items()}
        wanted = int(frame.filter(pl.col("into") == "tiers/all")["tokens"].sum())
        assert all(abs(found - wanted) <= 0.01 * wanted for found in tokens.values()), (seed, wanted, tokens)


def test_a_control_that_cannot_have_the_tokens_is_told() -> None:
    into = {"tiers/t": {"tokens": 1000}, "controls/t-tokens": {"tokens": 985}, "controls/t-lengths": {"tokens": 1000}}
    assert tokens_off(into, ["t"], ("random", "tokens", "lengths")) == {"t-tokens": -0.015, "t-lengths": 0}


def test_filling_passes_over_what_is_too_large() -> None:
    # 5 + 4 = 9 of 10; 3 is too large for the 1 that is left, the last 1 fits.
    assert filling(np.array([5, 4, 3, 1]), 10).tolist() == [True, True, False, True]
    assert filling(np.array([5, 4]), 100).tolist() == [True, True]
    assert filling(np.array([11]), 10).tolist() == [False]
