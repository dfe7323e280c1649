"""The plan is a pure function of the config; the graph stands in the keys."""

import pytest

from rounds.config import RoundsConfig
from rounds.plan import ORDER, plan
from utils.errors import UserError
from utils.runs.config import load_config, validated
from utils.runs.config_file import merged

KEYS = {
    "output": "out",
    "seed": 5,
    "sample": {"rows": 60},
    "clean": {"input": "{sample}/rows"},
    "start": {"tiny_model": {"hidden": 32}},
    "every_round": {"sft": {"learning_rate": 0.1}, "candidates": {"models": [{"path": "{sft}", "samples": 4}]}},
    "rounds": [
        {"sft": {"data": ["{tier}/tiers/easy.parquet"]}},
        {"sft": {"data": ["{tier}/tiers/hard.parquet"], "learning_rate": 0.2}},
    ],
}


def make(**changes):
    return plan(validated(RoundsConfig, {**KEYS, **changes}, where="test"))


def by_name(steps):
    return {step.name: step for step in steps}


def test_steps_in_order():
    names = [step.name for step in make()]
    rounds = [f"r{number}-{verb}" for number in (1, 2) for verb in ORDER]
    assert names == ["sample", "clean", "attributes", "tier", "start", *rounds]


def test_every_need_comes_before():
    seen = set()
    for step in make():
        assert set(step.needs) <= seen, step
        seen.add(step.name)


def test_the_chain_of_models():
    steps = by_name(make())
    assert steps["r1-sft"].config["model"] == "{start}"
    assert steps["r1-dpo"].config["model"] == "{r1-sft}"
    assert steps["r2-sft"].config["model"] == "{r1-dpo}"
    assert steps["r2-candidates"].config["models"] == [{"path": "{r2-sft}", "samples": 4}]
    assert steps["r2-candidates"].config["seeds"] == "{tier}/seeds/round-2.parquet"
    assert set(steps["r2-evaluate"].needs) == {"tier", "r2-sft", "r2-dpo"}
    assert steps["r2-evaluate"].config["models"][1] == {"name": "round-2-dpo", "path": "{r2-dpo}"}


def test_a_rounds_own_keys_win():
    steps = by_name(make())
    assert steps["r1-sft"].config["learning_rate"] == 0.1
    assert steps["r2-sft"].config["learning_rate"] == 0.2


def test_seeds_differ_by_round():
    steps = by_name(make())
    assert (steps["tier"].config["seed"], steps["r1-sft"].config["seed"], steps["r2-sft"].config["seed"]) == (5, 6, 7)


def test_clean_rows_and_a_given_model_need_no_step():
    steps = make(sample=None, clean=None, rows="rows", start={"model": "model"})
    assert [step.name for step in steps][:2] == ["attributes", "tier"]
    assert by_name(steps)["r1-sft"].config["model"] == "model"
    assert by_name(steps)["attributes"].config["input"] == "rows"


def test_a_placeholder_that_names_nothing_is_refused():
    with pytest.raises(UserError, match=r"step r1-sft: \{teir\} names no earlier step"):
        make(rounds=[{"sft": {"data": ["{teir}/x"]}}])
    with pytest.raises(UserError, match=r"\{dpo\}"):
        make(rounds=[{"sft": {"data": ["{dpo}/x"]}}])


@pytest.mark.parametrize("changes", [{"start": {}}, {"rows": "x"}, {"clean": None}, {"start": None}])
def test_contradictions_are_refused(changes):
    with pytest.raises(UserError):
        make(**changes)


def test_profile_is_a_shipped_config_under_this_one():
    config = load_config(RoundsConfig, None, ["profile=spine", "output=elsewhere", "sample.rows=99"])
    assert str(config.output) == "elsewhere"
    assert config.sample["rows"] == 99
    assert len(config.rounds) == 3


def test_unknown_profile_lists_the_known_ones():
    with pytest.raises(UserError, match="spine"):
        load_config(RoundsConfig, None, ["profile=spin"])


def test_merged_replaces_lists_and_joins_sections():
    under = {"a": {"x": 1, "y": [1, 2]}, "b": 1}
    assert merged(under, {"a": {"y": [3]}, "c": 2}) == {"a": {"x": 1, "y": [3]}, "b": 1, "c": 2}
    assert under == {"a": {"x": 1, "y": [1, 2]}, "b": 1}
    launch = {"launch": {"kind": "torchrun", "processes": 8}}
    assert merged(launch, {"launch": {"processes": 2}}) == {"launch": {"kind": "torchrun", "processes": 2}}
    assert merged(launch, {"launch": {"kind": "local"}}) == {"launch": {"kind": "local"}}


def test_without_rounds_it_is_data_alone():
    steps = make(name="mine", start=None, rounds=[], view={}, card={"title": "Rows"})
    assert [step.name for step in steps] == ["sample", "clean", "attributes", "tier", "view", "card"]
    named = by_name(steps)
    assert named["view"].config == {"seed": 5, "name": "mine", "attributes": "{attributes}", "tier": "{tier}"}
    assert named["card"].config["title"] == "Rows"
    assert {"name": "mine", "input": "{tier}", "attributes": "{attributes}"}.items() <= named["card"].config.items()
    assert named["card"].needs == ("tier", "attributes")


def test_no_map_and_no_card_unless_asked_for():
    assert not {"view", "card"} & set(by_name(make()))
