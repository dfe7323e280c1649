"""A LoRA becomes a plain model; a run becomes a directory that plain transformers answers from; and it is pushed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import fsspec
import pytest
import torch
import yaml

import cli
from postraining_sft.export import MARKER, whole
from postraining_sft.push import push, shown
from tests.support.use import KNOWN, train
from utils.data.records import Message
from utils.errors import RetryLaterError, UserError
from utils.models.generate import LocalModel

pytestmark = pytest.mark.usefixtures("keep_handlers")

PROMPTS = [[Message("user", question)] for question in KNOWN]
ROWS = torch.tensor([[1, 40, 77, 300, 5, 9, 120, 33], [7, 8, 9, 10, 250, 251, 252, 2]])

PLAIN = """
import importlib.util, json, os, sys
sys.path.append(sys.argv[1])  # site-packages, without the .pth file that would find our code
assert not any(importlib.util.find_spec(name) for name in ("posttrain", "utils", "postraining_sft", "cli"))
os.environ["HF_HUB_OFFLINE"] = "1"
from transformers import pipeline
ask = pipeline("text-generation", model=sys.argv[2], device="cpu")
said = []
for question in json.loads(sys.argv[3]):
    chat = [{"role": "user", "content": question}]
    answer = ask(chat, max_new_tokens=40, do_sample=False)[0]["generated_text"][-1]["content"]
    ids = ask.tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    out = ask.model.generate(**ids, max_new_tokens=40, do_sample=False)[0, ids["input_ids"].shape[1]:].tolist()
    said.append([answer, len(out), out[-1] in ask.model.generation_config.eos_token_id])
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def lora(tiny_model, tmp_path_factory) -> Path:
    """A LoRA run with a template that brings tokens of its own."""
    peft = {"method": "lora", "r": 8, "target_modules": "attention"}
    return train(tiny_model, tmp_path_factory.mktemp("lora"), template="dolly", peft=peft, max_steps=6)


def logits(path: Path) -> torch.Tensor:
    model = LocalModel(path).model
    with torch.no_grad():
        return model(input_ids=ROWS, attention_mask=torch.ones_like(ROWS)).logits


def ask_plainly(folder: Path) -> list:
    """Ask in a process that does not have our code."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PLAIN, sysconfig.get_paths()["purelib"], str(folder), json.dumps([*KNOWN])],
        cwd="/", env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_merged_logits_are_those_of_the_adapter_beside_its_base(lora, tiny_model, tmp_path, capsys):
    output = tmp_path / "merged"
    assert cli.main(["sft", "merge", str(lora), "--output", str(output), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    before, after = logits(lora), logits(output)
    assert float((before - after).abs().max()) < 1e-4
    assert float((before[..., :400] - logits(tiny_model)[..., :400]).abs().max()) > 1e-2, "the adapter does something"
    assert told["difference"] < 1e-4
    assert told["dtype"] == "float32"
    assert not list(output.glob("adapter*"))
    beside, plain = (
        LocalModel(path).answer(PROMPTS, max_new_tokens=20, temperature=0) for path in (lora / "model", output)
    )
    assert beside == plain
    vocabulary = LocalModel(output)
    assert vocabulary.tokenizer.convert_tokens_to_ids("### End") in vocabulary.ends
    assert vocabulary.model.get_input_embeddings().weight.shape[0] == len(vocabulary.tokenizer)
    assert sorted(tmp_path.iterdir()) == [output], "nothing else is left"
    sixteen = tmp_path / "sixteen"
    assert cli.main(["sft", "merge", str(lora / "model"), "--output", str(sixteen), "--dtype", "bf16"]) == 0
    assert json.loads((sixteen / "config.json").read_text())["dtype"] == "bfloat16"


def test_what_cannot_be_merged_is_refused_with_the_reason(trained, tiny_model, tmp_path, capsys):
    output = ["--output", str(tmp_path / "out")]
    assert cli.main(["sft", "merge", str(trained), *output]) == 2
    assert "all weights were trained" in capsys.readouterr().err
    adapter = tmp_path / "prefix"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"peft_type": "PREFIX_TUNING"}))
    assert cli.main(["sft", "merge", str(adapter), *output]) == 2
    assert "a PREFIX_TUNING adapter cannot be merged: it is trained positions" in capsys.readouterr().err
    assert cli.main(["sft", "merge", str(tmp_path / "none"), *output]) == 2
    assert "no such model directory" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("kept")
    assert cli.main(["sft", "merge", str(adapter), "--output", str(tmp_path / "full")]) == 2
    assert (tmp_path / "full" / "mine").read_text() == "kept"


def test_a_merge_that_computes_something_else_is_an_error(lora, tmp_path, monkeypatch, capsys):
    from utils.training import adapters

    right = adapters.merged

    def wrong(model):
        plain = right(model)
        with torch.no_grad():
            plain.get_input_embeddings().weight += 1
        return plain

    monkeypatch.setattr(adapters, "merged", wrong)
    assert cli.main(["sft", "merge", str(lora), "--output", str(tmp_path / "out")]) == 1
    assert "the merged model's logits differ by" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_export_answers_in_a_process_without_our_code(trained, tmp_path):
    output = tmp_path / "export"
    assert cli.main(["sft", "export", str(trained), "--output", str(output), "--license", "apache-2.0"]) == 0
    for (answer, tokens, ended), expected in zip(ask_plainly(output), KNOWN.values(), strict=True):
        assert answer == expected
        assert ended
        assert tokens < 40
    card = (output / "README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(card.split("---")[1])
    assert (head["license"], head["base_model"]) == ("apache-2.0", "model")
    manifest = json.loads((trained / "manifest.json").read_text())
    assert all(entry["sha256"] in card for entry in manifest["inputs"])
    assert "| train | lesson | sft | 4 |" in card
    assert "learning_rate: 0.01" in card
    assert manifest["key"] in card
    assert manifest["versions"]["torch"] in card
    own = str(tmp_path.parents[1])
    for path in output.iterdir():
        assert own.encode() not in path.read_bytes(), f"a path of this machine is in {path.name}"


def test_an_export_is_whole_or_made_anew(trained, tmp_path, capsys):
    output = tmp_path / "export"
    asked = ["sft", "export", str(trained), "--output", str(output)]
    assert cli.main(asked) == 0
    marker = whole(output)
    assert marker is not None
    assert set(marker["files"]) == {path.name for path in output.iterdir()} - {MARKER}
    before = (output / MARKER).stat().st_mtime_ns
    assert cli.main(asked) == 0
    assert (output / MARKER).stat().st_mtime_ns == before, "it was there already"
    assert cli.main([*asked, "--license", "mit"]) == 2
    with (output / "model.safetensors").open("r+b") as stream:
        stream.seek(-1, 2)
        stream.write(b"\x01")
    assert whole(output) is None
    assert cli.main(asked) == 2
    assert "there is something already" in capsys.readouterr().err
    assert cli.main(["sft", "export", str(tmp_path), "--output", str(tmp_path / "x")]) == 2
    assert "no finished sft or dpo run here" in capsys.readouterr().err


def test_a_lora_is_exported_merged_and_its_licences_and_parents_are_told(lora, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(lora, run)
    clean = tmp_path / "clean"
    clean.mkdir()
    parent = {
        "verb": "clean", "command": ["posttrain", "clean", "--config", "/home/me/secret/clean.yaml"], "key": "k1",
        "code": "c1", "finished": "2026-01-01", "counts": {"in": 9, "kept": 7}, "parents": [],
        "inputs": [{"path": "/home/me/raw.jsonl", "sha256": "feed"}], "config": {"licences": {"web/*": "CC-BY-4.0"}},
    }  # fmt: skip
    (clean / "manifest.json").write_text(json.dumps(parent))
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["parents"] = [str(clean)]
    (run / "manifest.json").write_text(json.dumps(manifest))
    output = tmp_path / "export"
    assert cli.main(["sft", "export", str(run), "--output", str(output), "--base-model", "org/base"]) == 0
    card = (output / "README.md").read_text(encoding="utf-8")
    assert "the adapter is merged into the weights (float32)" in card
    assert "| web/\\* |" in card or "| web/* | CC-BY-4.0 |" in card
    assert "before it **clean**" in card
    assert "in 9, kept 7" in card
    assert "feed" in card
    assert "/home/me" not in card
    assert "base_model: org/base" in card
    assert "license: unknown" in card
    assert not list(output.glob("adapter*"))
    assert len(LocalModel(output).answer(PROMPTS, max_new_tokens=4)) == 4


@pytest.fixture
def exported(trained, tmp_path) -> Path:
    output = tmp_path / "export"
    assert cli.main(["sft", "export", str(trained), "--output", str(output)]) == 0
    return output


def files_of(folder: Path) -> dict:
    return json.loads((folder / MARKER).read_text())["files"]


@pytest.mark.parametrize("scheme", ["file", "memory"])
def test_push_sends_every_file_and_the_marker_last(exported, trained, tmp_path, monkeypatch, capsys, scheme):
    url = f"{scheme}://{tmp_path}/pushed"
    fs, root = fsspec.core.url_to_fs(url)
    sent: list[str] = []
    put = type(fs).put_file

    def watched(self, source, target, *more, **keys):
        sent.append(Path(target).name)
        return put(self, source, target, *more, **keys)

    monkeypatch.setattr(type(fs), "put_file", watched)
    command = ["sft", "export", str(trained), "--output", str(exported), "--json", "--push", url]
    assert cli.main(command) == 0
    assert json.loads(capsys.readouterr().out)["sent"] == len(sent) == len(list(exported.iterdir()))
    assert sent[-2:] == ["README.md", MARKER]
    for path in exported.iterdir():
        assert fs.cat_file(f"{root}/{path.name}") == path.read_bytes()
    assert cli.main(command) == 0
    assert json.loads(capsys.readouterr().out)["sent"] == 0


def test_a_push_that_breaks_off_is_not_seen_as_whole_and_goes_on(exported, tmp_path, monkeypatch):
    from fsspec.implementations.local import LocalFileSystem

    put, url, there = LocalFileSystem.put_file, f"file://{tmp_path}/pushed", tmp_path / "pushed"

    def breaks(self, source, target, *more, **keys):
        if target.endswith("tokenizer.json"):
            Path(target).write_bytes(b"half")
            raise OSError("connection lost")
        return put(self, source, target, *more, **keys)

    monkeypatch.setattr(LocalFileSystem, "put_file", breaks)
    with pytest.raises(RetryLaterError, match="connection lost"):
        push(exported, files_of(exported), MARKER, url)
    assert not (there / MARKER).exists()
    assert whole(there) is None
    monkeypatch.undo()
    (there / MARKER).write_text('{"cut": ')  # a marker that was cut short is none
    assert push(exported, files_of(exported), MARKER, url) == len(list(exported.iterdir()))
    assert whole(there) is not None


def test_a_place_with_other_things_is_left_alone(exported, tmp_path):
    there = tmp_path / "pushed"
    there.mkdir()
    (there / "mine.txt").write_text("kept")
    with pytest.raises(UserError, match=r"other files, such as mine\.txt"):
        push(exported, files_of(exported), MARKER, f"file://{there}")
    assert [path.name for path in there.iterdir()] == ["mine.txt"]
    (there / "mine.txt").unlink()
    (there / MARKER).write_text('{"export": "another"}')
    with pytest.raises(UserError, match="another export lies there"):
        push(exported, files_of(exported), MARKER, f"file://{there}")


def test_secrets_in_a_url_are_never_shown(exported, trained, tmp_path, monkeypatch, capfd):
    url = "memory://me:hunter22@host/x?token=s3cr3tvalue#frag"
    assert shown(url) == "memory://host/x"
    from fsspec.implementations.memory import MemoryFileSystem

    def says(self, *_, **__):
        raise OSError(f"403 for {url} as me:hunter22 with s3cr3tvalue")

    monkeypatch.setattr(MemoryFileSystem, "ls", says)
    assert cli.main(["sft", "export", str(trained), "--output", str(exported), "--push", url]) == 75
    said = capfd.readouterr()
    assert "memory://host/x" in said.err
    assert not any(secret in said.out + said.err for secret in ("hunter22", "s3cr3tvalue", "frag"))


@pytest.mark.parametrize(
    ("url", "what"),
    [("somewhere", "no URL"), ("nosuch://b/x", "Protocol not known"), ("memory://", "names no directory")],
)
def test_a_wrong_url_is_refused_before_any_work(trained, tmp_path, capsys, url, what):
    assert cli.main(["sft", "export", str(trained), "--output", str(tmp_path / "e"), "--push", url]) == 2
    assert what in capsys.readouterr().err
    assert not (tmp_path / "e").exists()


@pytest.mark.parametrize("word", ["merge", "export"])
def test_help(word, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["sft", word, "--help"])
    assert ended.value.code == 0
    assert "--output DIR" in capsys.readouterr().out
