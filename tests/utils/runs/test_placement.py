"""What decides a run's result and what only where, how fast and how dear; and what `--dry-run` says of other hosts."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest
import yaml

import cli
from tests.support.tiny import write_jsonl
from utils.runs.config import RunConfig, SecretRef, StrictModel, decisive, resolved
from utils.runs.key import make_key
from utils.runs.leaving import leaving

AWAY = {"base_url": "https://api.example.com/v1", "model": "m", "allow_hosts": ["api.example.com"]}
ENDPOINT = {"kind": "endpoint", **AWAY}
HERE = {"kind": "endpoint", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
JUDGED = {"kind": "judged", "target": "difficulty", "model": ENDPOINT}


class Inner(StrictModel):
    placement: ClassVar[frozenset[str]] = frozenset({"speed"})
    what: int = 1
    speed: int = 1


class Outer(RunConfig):
    one: Inner = Inner()
    many: list[Inner | int] = [Inner(), 3]
    named: dict[int, tuple[Inner, str]] = {5: (Inner(), "x")}
    speed: int = 1
    secret: SecretRef | None = None
    workers: int = 2


def test_placement_keys_are_left_out_at_any_depth_and_only_where_they_are_declared():
    kept = decisive(Outer(output="o", secret="env:X"))
    assert kept == {
        "name": None,
        "seed": 42,
        "one": {"what": 1},
        "many": [{"what": 1}, 3],
        "named": {"5": [{"what": 1}, "x"]},
        "speed": 1,
        "secret": {"reference": "env:X"},
    }
    fast = Outer(output="p", one={"speed": 9}, many=[{"speed": 9}, 3], named={5: ({"speed": 9}, "x")}, workers=9)
    assert make_key(fast, [], "cli").hash == make_key(Outer(output="o"), [], "cli").hash
    for other in (Outer(output="o", one={"what": 2}), Outer(output="o", speed=2)):
        assert make_key(other, [], "cli").hash != make_key(fast, [], "cli").hash


@pytest.mark.parametrize("verb", sorted(cli.EVERY_STAGE))
def test_a_stage_says_placement_only_of_keys_that_it_has(verb):
    """A placement key that was renamed would come into the key without a word."""
    seen: set[type] = set()

    def models(kind: Any) -> None:
        if isinstance(kind, type) and issubclass(kind, StrictModel) and kind not in seen:
            seen.add(kind)
            for field in kind.model_fields.values():
                models(field.annotation)
        for part in getattr(kind, "__args__", ()):
            models(part)

    models(cli.EVERY_STAGE[verb].model())
    assert not [kind for kind in seen if not issubclass(kind, RunConfig) and kind.placement - kind.model_fields.keys()]


@pytest.fixture
def attributes(tmp_path):
    source = write_jsonl(tmp_path / "rows.jsonl", [{"instruction": "q", "input": "", "output": "a"}])

    def keys(*wanted: dict[str, Any]) -> dict[str, Any]:
        return {"input": str(source), "attributes": list(wanted), "executor": "local"}

    return keys


def dry_run(tmp_path, capsys, verb: str, config: dict[str, Any]) -> dict[str, Any]:
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump({"output": str(tmp_path / "run"), **config}))
    assert cli.main([verb, "--config", str(file), "--dry-run"]) == 0
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert not (tmp_path / "run").exists()
    return shown


@pytest.mark.parametrize(
    ("one", "name"),
    [
        (JUDGED, "difficulty"),
        ({"kind": "open_tags", "model": ENDPOINT}, "open_tags"),
        ({"kind": "endpoint_embedding", "dimensions": 8, **AWAY}, "endpoint_embedding"),
    ],
)
def test_dry_run_of_attributes_says_what_leaves_this_host(tmp_path, capsys, attributes, one, name):
    said = dry_run(tmp_path, capsys, "attributes", attributes({"kind": "text_statistics"}, one))["leaves_host"]
    assert said.keys() == {name}
    assert "https://api.example.com (model m)" in said[name]
    local = {**one, **HERE, "kind": one["kind"]} if "dimensions" in one else {**one, "model": HERE}
    local.pop("allow_hosts", None)
    assert dry_run(tmp_path, capsys, "attributes", attributes(local))["leaves_host"] == {}


def test_dry_run_of_self_instruct_says_what_leaves_this_host(tmp_path, capsys):
    task = {"id": "1", "instruction": "Add 1 and 2.", "instances": [{"input": "", "output": "3"}]}
    seeds = write_jsonl(
        tmp_path / "seeds.jsonl", [{**task, "id": str(n), "is_classification": False} for n in range(9)]
    )
    config = {"seeds": str(seeds), "lang": "en", "model": ENDPOINT, "target": 5, "max_prompts": 2}
    assert "https://api.example.com" in str(dry_run(tmp_path, capsys, "self-instruct", config)["leaves_host"])
    assert not dry_run(tmp_path, capsys, "self-instruct", {**config, "model": HERE})["leaves_host"]


def test_dry_run_of_rounds_says_it_for_its_steps(tmp_path, capsys, attributes):
    rows = attributes()["input"]
    config = {"rows": rows, "attributes": {"attributes": [JUDGED], "executor": "local"}}
    config |= {"tier": {"difficulty": "difficulty.score", "bands": [{"name": "all", "quantiles": [0, 1]}]}}
    config |= {"start": {"model": rows}, "rounds": []}
    said = dry_run(tmp_path, capsys, "rounds", config)["leaves_host"]
    assert said["attributes"]["attributes.difficulty"].endswith("https://api.example.com (model m)")


def test_a_stage_without_models_says_nothing(tmp_path, capsys, attributes):
    shown = dry_run(tmp_path, capsys, "clean", {"input": attributes()["input"], "policy": [{"rule": "html"}]})
    assert "leaves_host" not in shown


def test_a_model_is_found_wherever_it_stands_in_a_config():
    class Asks(StrictModel):
        key: str
        leaves_host: ClassVar[str] = "all of it"

    class Deep(StrictModel):
        steps: dict[str, list[Asks]]

    assert leaving(Deep(steps={"a": [Asks(key="k")]})) == {"steps.a.k": "all of it"}
    assert leaving(Inner()) is None


@pytest.mark.parametrize("kind", ["local", "replay"])
def test_what_a_model_is_read_from_belongs_to_the_key(tmp_path, attributes, kind):
    """Another model or other stored answers are another run: for every stage that asks one."""
    from data_pipeline.attributes.config import AttributesConfig
    from data_pipeline.self_instruct.config import SelfInstructConfig

    folder = tmp_path / "model"
    folder.mkdir()
    stored = folder / "answers.jsonl"
    model = {"kind": "local", "path": str(folder)} if kind == "local" else {"kind": "replay", "file": str(stored)}
    asked = [{"kind": "judged", "target": "quality", "model": model}, {"kind": "open_tags", "model": model}]
    seeds = write_jsonl(tmp_path / "seeds.jsonl", [])
    instruct = {"seeds": seeds, "lang": "en", "model": model, "target": 5, "max_prompts": 2}
    configs = {
        "attributes": [AttributesConfig(output="o", **attributes(one)) for one in asked],
        "self-instruct": [SelfInstructConfig(output="o", **instruct)],
    }
    for verb, several in configs.items():
        module = cli.EVERY_STAGE[verb].implementation()
        for config in several:
            hashes = set()
            for content in ("a", "b"):
                stored.write_text(content)
                hashes.add(make_key(config, module.inputs(config), "cli").hash)
            assert len(hashes) == 2, resolved(config)
