"""Who goes where, by a table made by hand."""

from __future__ import annotations

import polars as pl
import pytest

from data_pipeline.tier.config import TierConfig
from data_pipeline.tier.families import lots
from data_pipeline.tier.select import decide, hold_out

BASE = {
    "input": "rows",
    "attributes": "measures",
    "output": "run",
    "difficulty": "s.hard",
    "bands": [{"name": "easy", "quantiles": [0, 0.5]}, {"name": "hard", "quantiles": [0.5, 1]}],
}

# id, lang, family, s.hard, s.good
TABLE = [
    ("a", "zh", "f1", 1, 9),
    ("b", "zh", "f2", 2, 9),
    ("c", "zh", "f3", 3, 9),
    ("d", "zh", "f4", 4, 9),
    ("e", "zh", "f5", 5, 9),
    ("f", "en", "f6", 100, 9),
    ("g", "en", "f7", 200, 9),
    ("h", "en", "f8", 200, 9),
    ("i", "en", "f9", 400, 9),
    ("j", "en", "f10", 999, 1),  # below the floor
    ("k", "en", "f11", None, 9),  # not measured
    ("l", "zh", "f12", 1, None),  # not measured
    ("a", "zh", "f1", 1, 9),  # repeated
]


def config(**keys: object) -> TierConfig:
    return TierConfig.model_validate({**BASE, "floor": [{"attribute": "s.good", "minimum": 2}], **keys})


def table(rows: list[tuple[object, ...]] = TABLE) -> pl.DataFrame:
    columns = {"id": pl.String, "lang": pl.String, "family": pl.String, "s.hard": pl.Int64, "s.good": pl.Int64}
    return pl.DataFrame(rows, schema=columns, orient="row")


def into(decided: pl.DataFrame) -> list[str | None]:
    return decided["into"].to_list()


def members(decided: pl.DataFrame) -> dict[str, str]:
    """Return the ids in each target, joined."""
    groups = decided.drop_nulls("into").group_by("into", maintain_order=True).agg(pl.col("id").sort().str.join(""))
    return dict(groups.iter_rows())


def test_the_whole_table_by_language() -> None:
    # zh: 5 rows, ⌊0.5·5⌋ = 2 easy: a b | c d e. en: 4 rows: f g | h i; g and h are equally hard, g has the smaller id.
    decided = decide(table(), config())
    easy, hard = "tiers/easy", "tiers/hard"
    assert into(decided) == [easy, easy, hard, hard, hard, easy, easy, hard, hard, None, None, None, None]
    assert decided["status"].to_list() == ["kept"] * 9 + ["dropped", "quarantined", "quarantined", "dropped"]
    assert decided["reasons"].to_list() == [[]] * 9 + [
        ["below_floor:s.good"],
        ["no_attribute:s.hard"],
        ["no_attribute:s.good"],
        ["duplicate_id"],
    ]
    assert decided.select("id", "lang", "family", "s.hard", "s.good").equals(table())


def test_without_languages_the_easy_half_is_chinese() -> None:
    # 9 rows, ⌊4.5⌋ = 4 easy: a b c d.
    assert members(decide(table(), config(per_language=False))) == {"tiers/easy": "abcd", "tiers/hard": "efghi"}


def test_bands_by_value_include_the_lower_and_not_the_upper_end() -> None:
    bands = [
        {"name": "low", "range": [None, 3]},
        {"name": "mid", "range": [3, 200]},
        {"name": "top", "range": [400, None]},
    ]
    decided = decide(table(), config(bands=bands))
    assert members(decided) == {"tiers/low": "ab", "tiers/mid": "cdef", "tiers/top": "i"}
    assert decided.filter(pl.col("id").is_in(["g", "h"]))["reasons"].to_list() == [["no_band"], ["no_band"]]


def test_all_reasons_are_named() -> None:
    floors = [{"attribute": "s.good", "minimum": 2}, {"attribute": "s.hard", "minimum": 5000}]
    decided = decide(table(), config(floor=floors))
    reasons = {row["id"]: row["reasons"] for row in decided.to_dicts() if row["reasons"] != ["duplicate_id"]}
    assert reasons["j"] == ["below_floor:s.good", "below_floor:s.hard"]
    assert reasons["a"] == ["below_floor:s.hard"]
    both = decide(table([("m", "zh", "f", None, None)]), config(floor=floors))
    assert both["reasons"].to_list() == [["no_attribute:s.hard", "no_attribute:s.good"]]


def test_a_measure_that_is_not_a_number_counts_as_none() -> None:
    rows = table().with_columns(pl.when(pl.col("id") == "b").then(float("nan")).otherwise("s.hard").alias("s.hard"))
    assert decide(rows, config())["reasons"].to_list()[1] == ["no_attribute:s.hard"]


def test_thirds_share_out_every_row() -> None:
    bands = [
        {"name": str(part), "quantiles": limits}
        for part, limits in enumerate(([0, 0.3333333333], [0.3333333333, 0.6666666667], [0.6666666667, 1]))
    ]
    for count, sizes in ((9, [3, 3, 3]), (10, [3, 3, 4]), (11, [3, 4, 4])):
        rows = table([(f"{n:02d}", "zh", f"f{n}", n, 9) for n in range(count)])
        decided = decide(rows, config(bands=bands))
        assert [into(decided).count(f"tiers/{part}") for part in range(3)] == sizes


def test_held_out_takes_whole_families_before_anything_else() -> None:
    # 200 families of two rows, the second of each neither measured nor in the same language.
    rows = [(f"{n}{half}", half, f"f{n}", 1 if half == "zh" else None, 9) for n in range(200) for half in ("zh", "en")]
    decided = decide(table(rows), config(held_out=0.25, seed=3))
    families = table(rows)["family"]
    expected = ["held_out" if lot < 0.25 else None for lot in lots(families, 3, "held_out")]
    assert [where if where == "held_out" else None for where in into(decided)] == expected
    assert 60 < expected.count("held_out") < 140
    assert not {*decided.filter(pl.col("into") == "held_out")["family"]} & {
        *decided.filter(pl.col("into") != "held_out")["family"]
    }


def test_held_out_does_not_depend_on_order_or_company() -> None:
    rows = [(str(n), "zh", f"f{n}", n, 9) for n in range(50)]

    def held(given: list[tuple[object, ...]]) -> set[str]:
        frame = table(given).with_columns(
            status=pl.lit(None, pl.String), reasons=pl.lit([], pl.List(pl.String)), into=pl.lit(None, pl.String)
        )
        return {*hold_out(frame, 0.3, 1).filter(pl.col("into") == "held_out")["id"]}

    assert held(rows[::-1]) == held(rows)
    assert held(rows[:25]) == held(rows) & {str(n) for n in range(25)}


def test_seeds_take_rows_out_of_their_tier_and_share_no_family() -> None:
    # Ten families in each tier; f0 to f4 are in both.
    rows = [(f"e{n}", "zh", f"f{n}", 1, 9) for n in range(10)] + [
        (f"h{n}", "zh", f"f{n + 5 if n >= 5 else n}", 8, 9) for n in range(10)
    ]
    bands = [{"name": "easy", "range": [0, 5]}, {"name": "hard", "range": [5, 10]}]
    seeds = [{"name": "round-1", "from": "easy", "share": 0.5}, {"name": "round-2", "from": "hard", "rows": 3}]
    decided = decide(table(rows), config(bands=bands, seeds=seeds, seed=5))
    drawn = {name: set(decided.filter(pl.col("into") == f"seeds/{name}")["family"]) for name in ("round-1", "round-2")}
    by_lot = sorted((f"f{n}" for n in range(10)), key=lambda f: lots(pl.Series([f]), 5, "seed:round-1")[0])
    assert drawn["round-1"] == set(by_lot[:5])
    assert len(drawn["round-2"]) == 3
    assert not drawn["round-1"] & drawn["round-2"]
    assert into(decided).count("tiers/easy") == 5
    assert into(decided).count("tiers/hard") == 7
    assert set(decided["status"]) == {"kept"}


def test_a_family_is_drawn_whole() -> None:
    rows = [(f"{n}", "zh", "one", n, 9) for n in range(4)]
    decided = decide(
        table(rows),
        config(bands=[{"name": "all", "range": [None, None]}], seeds=[{"name": "s", "from": "all", "rows": 1}]),
    )
    assert into(decided) == ["seeds/s"] * 4


def test_a_seed_that_wants_more_than_there_is_takes_what_there_is() -> None:
    decided = decide(table(), config(seeds=[{"name": "s", "from": "easy", "rows": 99}]))
    assert members(decided) == {"seeds/s": "abfg", "tiers/hard": "cdehi"}


def test_no_rows_are_no_decisions() -> None:
    assert decide(table([]), config(held_out=0.1, seeds=[{"name": "s", "from": "easy", "share": 0.5}])).height == 0


@pytest.mark.parametrize("seed", [1, 2])
def test_another_seed_draws_other_rows_and_the_same_seed_the_same(seed: int) -> None:
    rows = [(str(n), "zh", f"f{n}", n, 9) for n in range(60)]
    keys = {"held_out": 0.2, "seeds": [{"name": "s", "from": "easy", "share": 0.5}]}
    one, again = (decide(table(rows), config(**keys, seed=seed)) for _ in range(2))
    assert one.equals(again)
    assert into(one) != into(decide(table(rows), config(**keys, seed=seed + 1)))
