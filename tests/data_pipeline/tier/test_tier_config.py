"""A tier config that would put a row in two places, or in none by mistake, is refused."""

from __future__ import annotations

import pytest

from data_pipeline.tier.config import TierConfig
from utils.errors import UserError
from utils.runs.config import load_config, resolved

GOOD = [
    "input=rows", "attributes=measures", "output=run", "difficulty=s.hard",
    "bands=[{name: easy, quantiles: [0, 0.5]}, {name: hard, quantiles: [0.5, 1]}]",
]  # fmt: skip


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("bands=[{name: a, quantiles: [0, 0.6]}, {name: b, quantiles: [0.5, 1]}]", "'a' and 'b' overlap"),
        ("bands=[{name: a, range: [0, null]}, {name: b, range: [5, 9]}]", "overlap"),
        ("bands=[{name: a, quantiles: [0, 0.5]}, {name: b, range: [5, 9]}]", "all by quantiles or all by range"),
        ("bands=[{name: a, quantiles: [0.5, 0.5]}]", "0.5 is not below 0.5"),
        ("bands=[{name: a, quantiles: [0, 2]}]", "between 0 and 1"),
        ("bands=[{name: a}]", "either quantiles or range"),
        ("bands=[{name: a, quantiles: [0, 0.5]}, {name: a, quantiles: [0.5, 1]}]", "'a' stands twice"),
        ("bands=[{name: ../a, quantiles: [0, 0.5]}]", "not a name"),
        ("seeds=[{name: s, from: esay, rows: 1}]", "no tier is called 'esay'"),
        ("seeds=[{name: s, from: easy}]", "either share or rows"),
        ("difficulty=hard", "difficulty"),
        ("held_out=1", "held_out"),
        ("quotas=[{by: lang, share: {zh: 0.5}}]", "give 'easy' rows or tokens"),
        ("quotas=[{by: lang, rows: {zh: 5}}, {by: lang, rows: {en: 5}}]", "two quotas by lang"),
        ("quotas=[{by: lang}]", "one of share, rows or tokens"),
        ("quotas=[{by: language, rows: {zh: 5}}]", "quotas"),
        ("diversity={cluster: c.cluster}", "cluster_rows or cluster_tokens"),
        ("bands=[{name: a, quantiles: [0, 1], rows: 5, tokens: 5}]", "either rows or tokens"),
        ("decontaminate={files: [], ngram: 8}", "files"),
        ("decontaminate={files: [a], ngram: 7}", "ngram"),
        ("jsonl=[trl_preference]", "jsonl"),
        ("floor=[{attribute: q.good, minimum: .nan}]", "finite number"),
        ("bands=[{name: a, range: [.nan, 3]}]", "finite number"),
        ("bands=[{name: a, quantiles: [0, .nan]}]", "finite number"),
    ],
)
def test_bad_configs_are_refused(override: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_config(TierConfig, None, [*GOOD, override])


def test_a_resolved_config_loads_again() -> None:
    config = load_config(TierConfig, None, [*GOOD, "seeds=[{name: s, from: easy, rows: 1}]"])
    assert TierConfig.model_validate(resolved(config)) == config


def test_columns_are_named_once() -> None:
    config = load_config(
        TierConfig, None, [*GOOD, "floor=[{attribute: s.hard, minimum: 1}, {attribute: q.x, minimum: 1}]"]
    )
    assert config.columns == ["s.hard", "q.x"]
