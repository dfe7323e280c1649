"""Configs: what is read, and the one line that a wrong one gives."""

import os
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from utils.errors import UserError
from utils.runs.config import (
    ParallelConfig,
    Resources,
    RunConfig,
    SecretRef,
    StrictModel,
    load_config,
    output_override,
    resolved,
)


class Html(StrictModel):
    rule: Literal["html"] = "html"
    entities: bool = True


class Length(StrictModel):
    rule: Literal["length"] = "length"
    minimum: int = 1


class Section(StrictModel):
    threshold: float = 0.5


class Demo(ParallelConfig):
    input: Path | None = None
    section: Section = Section()
    rules: list[Annotated[Html | Length, Field(discriminator="rule")]] = []
    key: SecretRef | None = None


def write(tmp_path, text):
    path = tmp_path / "demo.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(tmp_path, text, *overrides):
    with pytest.raises(UserError) as caught:
        load_config(Demo, write(tmp_path, text), overrides)
    assert caught.value.exit_code == 2
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_yaml_and_overrides(tmp_path):
    path = write(tmp_path, "output: o\nseed: 7\nrules:\n  - rule: html\n  - {rule: length, minimum: 3}\n")
    config = load_config(Demo, path, ["section.threshold=0.25", "rules.1.minimum=9", "input=a b;touch X"])
    assert (config.seed, config.section.threshold, config.rules[1].minimum) == (7, 0.25, 9)
    assert config.input == Path("a b;touch X")


def test_override_adds_to_a_list(tmp_path):
    path = write(tmp_path, "output: o\nrules:\n  - rule: html\n")
    assert len(load_config(Demo, path, ["rules.1={rule: length}"]).rules) == 2


def test_unknown_key_names_file_line_and_nearest(tmp_path):
    message = refusal(tmp_path, "output: o\nsection:\n  treshold: 1\n")
    assert "demo.yaml:3" in message
    assert "'section.treshold'" in message
    assert "nearest: threshold" in message


def test_unknown_key_inside_a_union_names_the_members_keys(tmp_path):
    message = refusal(tmp_path, "output: o\nrules:\n  - rule: length\n    minimun: 3\n")
    assert "demo.yaml:4" in message
    assert "nearest: minimum" in message


def test_unknown_override_names_the_option(tmp_path):
    message = refusal(tmp_path, "output: o\n", "sed=1")
    assert "--set sed" in message
    assert "nearest: seed" in message


def test_wrong_type_shows_the_value(tmp_path):
    message = refusal(tmp_path, "output: o\nseed: many\n")
    assert "demo.yaml:2" in message
    assert "'many'" in message


def test_missing_key_says_how_to_give_it(tmp_path):
    assert "--set output=" in refusal(tmp_path, "seed: 1\n")


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "output: o\nseed: 1\nseed: 2\n",
        "- just\n- a list\n",
        "output: !!python/object/apply:os.system ['touch X']\n",
        "output: " + "[" * 40 + "]" * 40,
        "x: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(f"y{i}: &b{i} [{', '.join(['*a'] * 10)}]\n" for i in range(3)),
    ],
    ids=["broken", "twice", "list", "python-tag", "deep", "aliases"],
)
def test_hostile_or_broken_yaml_is_refused(tmp_path, text, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refusal(tmp_path, text)
    assert not (tmp_path / "X").exists()


def test_alias_bomb_is_bounded(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "too large" in refusal(tmp_path, "\n".join(lines))


def test_too_large_a_file_is_refused(tmp_path):
    assert "more than" in refusal(tmp_path, "# " + "x" * (1 << 20) + "\noutput: o\n")


def test_missing_file_names_the_nearest(tmp_path):
    write(tmp_path, "output: o\n")
    with pytest.raises(UserError, match=r"demo\.yaml"):
        load_config(Demo, tmp_path / "dem.yaml")


@pytest.mark.parametrize("name", ["a;touch X", "$(touch X)", "a\nb", "../up", "..", "", "x" * 129, "a b"])
def test_names_that_could_be_commands_or_paths_are_refused(name):
    with pytest.raises(UserError):
        load_config(Demo, None, ["output=o", f"name={name!r}"])


def test_secret_is_read_when_used_and_never_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("DEMO_KEY", "canary-123456")
    config = load_config(Demo, write(tmp_path, "output: o\nkey: env:DEMO_KEY\n"))
    assert config.key.reveal() == "canary-123456"
    assert "canary" not in repr(config) + str(resolved(config))


def test_secret_by_value_is_refused_without_repeating_it(tmp_path):
    message = refusal(tmp_path, "output: o\nkey: sk-canary-123456\n")
    assert "env:NAME" in message


def test_missing_secret_is_an_error_with_a_mend():
    os.environ.pop("NOT_THERE", None)
    with pytest.raises(UserError, match="env:NOT_THERE"):
        SecretRef.model_validate("env:NOT_THERE").reveal()


def test_shipped_schema_describes_every_field():
    properties = RunConfig.model_json_schema()["properties"]
    assert all("description" in properties[name] for name in ("name", "output"))


def test_schema_describes_inherited_and_renamed_keys_and_those_of_sections():
    class Described(RunConfig):
        seed: int = 7
        """Another meaning."""
        source: str = Field(alias="from")
        """Written `from`."""
        section: Resources = Resources()
        plain: int = 0

    schema = Described.model_json_schema()
    said = {key: value.get("description") for key, value in schema["properties"].items()}
    assert said["seed"] == "Another meaning."
    assert said["from"] == "Written `from`."
    assert said["output"] == RunConfig.model_json_schema()["properties"]["output"]["description"]
    assert said["plain"] is None
    assert "GPUs" in schema["$defs"]["Resources"]["properties"]["gpus"]["description"]


class Check(StrictModel):
    kind: Literal["exact"] = "exact"
    strip: bool = True


class Verifier(StrictModel):
    kind: Literal["verifier"] = "verifier"
    verifier: Check = Check()


class Stored(StrictModel):
    kind: Literal["stored"] = "stored"


class Judge(RunConfig):
    judge: Annotated[Verifier | Stored, Field(discriminator="kind")]


def test_a_tag_that_is_also_a_key_is_not_shown_twice():
    with pytest.raises(UserError) as caught:
        load_config(Judge, None, ["output=o", "judge.kind=verifier", "judge.verifier.stripp=false"])
    assert "--set judge.verifier.stripp: unknown key 'judge.verifier.stripp' → nearest: strip" in str(caught.value)


@pytest.mark.parametrize("text", ["*.jsonl", "data/**/*.x", "@here", "[a", "{a: b", "a: b: c", "%x", '"open', "`x`"])
def test_an_override_that_yaml_cannot_read_is_text(text):
    assert load_config(Demo, None, ["output=o", f"input={text}"]).input == Path(text)


def test_nothing_is_offered_where_nothing_is_near(tmp_path):
    assert refusal(tmp_path, "output: o\nbogus: 1\n").endswith("unknown key 'bogus'")
    assert refusal(tmp_path, "output: o\nSeeds: 1\n").endswith("nearest: seed")


def test_a_date_is_a_name_like_any_other(tmp_path):
    assert load_config(Demo, write(tmp_path, "output: o\nname: 2024-01-01\n")).name == "2024-01-01"
    assert load_config(Demo, None, ["output=o", "name=2020-13-45"]).name == "2020-13-45"


@pytest.mark.parametrize("override", ["a.²=1", "seed=" + "[" * 3000, "seed=&a [*a]", "=1", "seed"])
def test_odd_overrides_are_one_line(override):
    with pytest.raises(UserError):
        load_config(Demo, None, ["output=o", override])


@pytest.mark.parametrize("path", ["2024", "null", "y z/a #1", "a: b", "[x]"])
def test_an_output_is_given_on_as_it_is(path):
    assert load_config(Demo, None, [output_override(Path(path))]).output == Path(path)


def test_a_secret_by_value_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "canary-123456")
    message = refusal(tmp_path, "output: o\ninput: rows/canary-123456\n")
    assert "input holds a secret" in message
    assert "canary" not in message
