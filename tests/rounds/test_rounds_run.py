"""Addresses of steps: what changes them, and what does not."""

import pytest

from rounds.config import RoundsConfig
from rounds.plan import plan
from rounds.run import _checked, addresses, check
from utils.errors import UserError
from utils.runs.config import load_config


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Return the address of every step of a plan over one file of rows and one policy file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text('{"instruction": "a", "output": "b"}\n')
    (tmp_path / "policy.yaml").write_text("rules:\n  - rule: html\n")

    def go(*overrides):
        _checked.cache_clear()
        chosen = ["profile=spine", "output=out", "sample=null", "clean.input=rows.jsonl", "clean.policy=policy.yaml"]
        steps = plan(load_config(RoundsConfig, None, [*chosen, *overrides]))
        return {name: place.name for name, place in addresses(steps, check(steps), tmp_path / "out").items()}

    return go


def changed(before, after):
    return [name for name in before if before[name] != after[name]]


def test_the_same_gives_the_same_and_placement_does_not_matter(places):
    assert changed(places(), places("clean.workers=2", "clean.executor=local")) == []


def test_changed_rows_redo_all_that_depends_on_them(places, tmp_path):
    before = places()
    (tmp_path / "rows.jsonl").write_text('{"instruction": "a", "output": "c"}\n')
    assert changed(before, places()) == list(before)


def test_a_changed_policy_file_is_seen(places, tmp_path):
    before = places()
    (tmp_path / "policy.yaml").write_text("rules:\n  - rule: blank_lines\n")
    assert changed(before, places()) == list(before)


def test_a_changed_round_redoes_itself_and_later_ones(places):
    before = places()
    lists = (
        'rounds=[{"sft": {"data": ["{tier}/tiers/easy.parquet"]}}, {"sft": {"data": ["{tier}/tiers/middle.parquet"]}}]'
    )
    other = places(lists, "every_round.dpo.beta=0.2")
    same = places(lists)
    assert changed(same, other) == [name for name in same if name[:2] in {"r1", "r2"} and _after_dpo(name)]
    assert before["tier"] == other["tier"]


def _after_dpo(name):
    return name not in {"r1-sft", "r1-candidates", "r1-judge", "r1-pairs"}


def test_a_wrong_key_anywhere_is_found_first_and_names_its_step(places):
    with pytest.raises(UserError, match="step r1-dpo: unknown key 'bete' → nearest: beta"):
        places("every_round.dpo.bete=0.2")
