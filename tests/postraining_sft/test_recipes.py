"""Every recipe loads, says what it would do, and trains: with tiny rows and a tiny model, all else as shipped."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from postraining_sft.config import SftConfig
from postraining_sft.train import STAGE, dry_run
from tests.support.tiny import ROOT, chats, read_jsonl, write_jsonl
from utils.errors import UserError
from utils.runs.config import decisive, load_config, resolved
from utils.runs.stage import run_stage
from utils.training.launch import rows_per_step

pytestmark = pytest.mark.usefixtures("keep_handlers")

RECIPES = ROOT / "configs" / "sft" / "recipes"
NAMES = sorted(path.stem for path in RECIPES.glob("*.yaml"))
BY_DEFAULT = {"dolly", "continued-pretrain"}
"""Their two steps are in the default run: new tokens in the vocabulary, and packed documents. The others are slow."""

HERE: dict[str, Any] = {"precision": "fp32", "launch": {"kind": "local"}, "max_steps": 2}
"""What is another thing on one CPU, in every recipe. `deepspeed` is left out too, in those that have it."""

OTHER_PROFILES = ({"gpu_profile": "a10"}, {"gpu_profile": "v100", "precision": "bf16"})
"""fp16 is refused where there is no GPU, in a dry run too."""

PUBLISHED = {  # rate, epochs, tokens of the longest row, rows of a step; None: the original leaves it open
    "phased-sft": (5e-6, None, 2048, 128),
    "continued-pretrain": (None, None, None, None),
    "dolly": (5e-6, 2, None, 48),
    "alpaca": (2e-5, 3, 512, 128),
    "alpaca-lora": (3e-4, 3, 512, 128),
    "vicuna": (2e-5, 3, 2048, 128),
    "belle": (3e-6, 3, None, 64),
    "tulu-style": (5e-6, 2, 4096, 128),
}


def recipe(name: str, *overrides: str) -> SftConfig:
    return load_config(SftConfig, RECIPES / f"{name}.yaml", overrides)


def commands(name: str) -> list[list[str]]:
    """Return the command lines in a recipe's header, as words."""
    lines = (RECIPES / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    return [shlex.split(line.removeprefix("# ")) for line in lines if line.startswith("# posttrain sft --config")]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Chinese and English: conversations, and documents."""
    folder = tmp_path_factory.mktemp("rows")
    documents = [{"text": f"{n}。" + "一个文档 of words. " * (n % 7 + 1)} for n in range(40)]
    return {"sft": write_jsonl(folder / "s.jsonl", chats()), "document": write_jsonl(folder / "d.jsonl", documents)}


def paths(name: str, model: Path, rows: dict[str, Path], output: Path) -> dict[str, Any]:
    """Return the keys of a recipe that are places, with ours in theirs."""
    shipped = recipe(name)
    data = str(rows["document" if name == "continued-pretrain" else "sft"])
    stages = {f"stages.{number}.data": [data] for number in range(len(shipped.stages))}
    held_out = {"eval": data} if shipped.eval else {}
    return {"model": str(model), "output": str(output), **(stages or {"data": [data]}), **held_out}


def overrides(keys: dict[str, Any]) -> list[str]:
    return [f"{key}={json.dumps(value)}" for key, value in keys.items()]


def test_all_recipes_are_here():
    assert sorted(PUBLISHED) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_commands_of_the_header_load(name: str):
    found = commands(name)
    assert len(found) >= 2
    for words in found:
        assert words[:4] == ["posttrain", "sft", "--config", f"configs/sft/recipes/{name}.yaml"]
        assert words[4::2] == ["--set"] * len(words[5::2])
        recipe(name, *words[5::2])


@pytest.mark.parametrize("name", NAMES)
def test_numbers_are_the_published_ones(name: str):
    """And the header's product is what processes × batch_size × gradient_accumulation makes."""
    config, (rate, epochs, length, rows) = recipe(name), PUBLISHED[name]
    ours = (config.learning_rate, config.epochs, config.max_length, rows_per_step(config))
    assert all(wanted in (None, found) for wanted, found in zip((rate, epochs, length, rows), ours, strict=True))
    profiles = list(config.profiles) or [None]
    header = (RECIPES / f"{name}.yaml").read_text(encoding="utf-8")
    products = re.findall(r"(\d+(?: x \d+)+) = (\d+)", header)
    for profile, (factors, product) in zip(profiles, products, strict=False):
        asked = recipe(name, f"gpu_profile={profile}") if profile else config
        processes = getattr(asked.launch, "processes", 1)
        parts = [processes, asked.batch_size, asked.gradient_accumulation]
        assert [int(factor) for factor in factors.split(" x ")] == (parts if factors.count("x") == 2 else parts[:2])
        assert int(product) == rows_per_step(asked)


def test_continued_pretraining_has_llama_2s_schedule():
    config = recipe("continued-pretrain")
    assert (config.betas, config.weight_decay, config.clip) == ((0.9, 0.95), 0.1, 1.0)
    assert (config.scheduler, config.final_learning_rate, config.warmup_steps) == ("cosine", 0.1, 2000)
    assert config.batching == "packed"


@pytest.mark.parametrize(
    ("name", "more"), [*((name, {}) for name in NAMES), *(("dolly", more) for more in OTHER_PROFILES)]
)
def test_dry_run(
    name: str,
    more: dict[str, str],
    tiny_model: Path,
    rows: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    """As shipped but for the places, so with the processes and the precision that it was meant for."""
    import cli

    keys = paths(name, tiny_model, rows, tmp_path / "out") | more
    given = [word for key in overrides(keys) for word in ("--set", key)]
    assert cli.main(["sft", "--config", str(RECIPES / f"{name}.yaml"), *given, "--dry-run"]) == 0
    said = json.loads(capsys.readouterr().out)
    stages = len(said["config"]["stages"]) or 1
    assert said["in"] == said["kept"] + said["dropped"]
    assert said["rows"] == said["kept"] == stages * (40 if name == "continued-pretrain" else 14)
    assert said["tokens"] > said["rows"]
    assert said["launch"]["rows_per_step"] == rows_per_step(recipe(name, *overrides(more)))
    assert said["memory"]["per_gpu_gib"]["total"] > 0
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in BY_DEFAULT else pytest.mark.slow) for n in NAMES])
def test_two_real_steps(name: str, tiny_model: Path, rows: dict[str, Path], tmp_path: Path):
    shipped = recipe(name)
    changed = paths(name, tiny_model, rows, tmp_path / "out") | HERE
    changed |= {"deepspeed": None} if shipped.deepspeed else {}
    before, after = resolved(shipped), resolved(recipe(name, *overrides(changed)))
    assert {key for key in before if before[key] != after[key]} <= {key.partition(".")[0] for key in changed}
    given = [word for key in overrides(changed) for word in ("--set", key)]
    assert run_stage(STAGE, ["--config", str(RECIPES / f"{name}.yaml"), *given, "--quiet"]) == 0
    run = tmp_path / "out" / "run"
    assert json.loads((run / "config.json").read_text()) == after
    assert set(given) <= set(json.loads((run / "command.json").read_text())["argv"])
    lines = read_jsonl(tmp_path / "out" / "metrics.jsonl")
    stages = [stage.name for stage in shipped.stages] or [None]
    last = [line for line in lines if line["step"] == 2 and "loss" in line]
    assert [line.get("stage") for line in last] == stages
    assert all(line["grad_norm"] > 0 for line in last)
    if shipped.eval:
        kind = "document" if name == "continued-pretrain" else "sft"
        assert sum(f"eval_loss_{kind}" in line for line in lines) >= len(stages)
    assert (tmp_path / "out" / "model" / ("adapter_config.json" if shipped.peft else "config.json")).exists()


@pytest.mark.parametrize("profile", ["a100", "a10", "v100"])
def test_a_profile_stands_under_the_files_own_keys(profile: str):
    config = recipe("dolly", f"gpu_profile={profile}")
    shown = resolved(config)
    wanted = {
        "a100": ("bf16", 6, "none", 8, 48),
        "a10": ("bf16", 3, "optimizer", 4, 12),
        "v100": ("fp16", 3, "optimizer", 8, 24),
    }[profile]
    launched = (shown["deepspeed"]["offload"], shown["launch"]["processes"], rows_per_step(config))
    assert (shown["precision"], shown["batch_size"], *launched) == wanted
    assert shown["deepspeed"]["zero"] == 3
    assert SftConfig.model_validate(shown) == config  # a rank reads the resolved config again
    more = recipe("dolly", f"gpu_profile={profile}", "batch_size=1", "launch.processes=2", "deepspeed.offload=none")
    assert (more.batch_size, more.launch.processes, more.deepspeed.zero, more.deepspeed.offload) == (1, 2, 3, "none")
    alone = recipe("dolly", f"gpu_profile={profile}", "launch={kind: local}", "deepspeed=null")
    assert (alone.launch.kind, alone.deepspeed) == ("local", None)


def test_a_run_is_what_its_profile_came_to_not_how_it_is_called():
    keys = {"model": "m", "output": "o", "data": ["d"]}
    plain = SftConfig.model_validate({**keys, "batch_size": 3})
    named = SftConfig.model_validate({**keys, "gpu_profile": "mine", "profiles": {"mine": {"batch_size": 3}, "b": {}}})
    assert decisive(plain) == decisive(named)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("dolly", "gpu_profile=h100", "no profile 'h100'; there are: a100, a10, v100"),
        ("alpaca", "gpu_profile=a100", "no profile 'a100'; there are: none here"),
        ("dolly", "profiles.a100.batchsize=1", "unknown key 'batchsize'"),
        ("dolly", "profiles.a100=3", "no profile 'a100'; there are: a10, v100"),
        ("dolly", "profiles=3", "no profile 'a100'; there are: none here"),
        ("dolly", "gpu_profile=[a100]", "there are: a100, a10, v100"),
    ],
)
def test_a_wrong_profile_is_one_clear_error(name: str, given: str, said: str):
    with pytest.raises(UserError, match=re.escape(said)):
        recipe(name, given)


def test_a_dry_run_of_stages_counts_each(tiny_model: Path, rows: dict[str, Path], tmp_path: Path):
    keys = overrides(paths("phased-sft", tiny_model, rows, tmp_path / "out"))
    said = dry_run(recipe("phased-sft", *keys, "launch={kind: local}", "batch_size=4", "precision=fp32"))
    assert [stage["stage"] for stage in said["stages"]] == ["stage-1", "stage-2", "stage-3"]
    assert [stage["steps"] for stage in said["stages"]] == [4, 4, 4]
