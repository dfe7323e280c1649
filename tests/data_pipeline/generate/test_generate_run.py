"""`posttrain generate`: a file of prompts in, answers out, every row accounted for, resumed to the byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import cli
from tests.support.tiny import chats, read_jsonl, write_jsonl
from utils.models.generate import LocalModel

pytestmark = pytest.mark.usefixtures("keep_handlers")

ALPACA = [{"instruction": f"Add {n} and {n}.", "input": "", "output": str(2 * n)} for n in range(5)]


def generate(model: Path, source: Any, output: Path, **keys: Any) -> int:
    keys = {"max_new_tokens": 6, "batch_size": 2, **keys}
    words = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in keys.items()]
    sets = [f"model={model}", f"input={source}", f"output={output}", *words]
    return cli.main(["generate", "--quiet", *(word for one in sets for word in ("--set", one))])


def answers(run: Path) -> list[dict[str, Any]]:
    return pq.read_table(run / "answers.parquet").to_pylist()


def counts(run: Path) -> dict[str, Any]:
    return json.loads((run / "manifest.json").read_text())["counts"]


def test_answers_stand_in_the_files_order(tiny_model, tmp_path):
    source = write_jsonl(tmp_path / "chats.jsonl", chats(20))
    assert generate(tiny_model, source, tmp_path / "run") == 0
    rows = answers(tmp_path / "run")
    assert [row["prompt"][-1]["content"] for row in rows] == [row["messages"][0]["content"] for row in chats(20)]
    assert [row["reference"] for row in rows] == [row["messages"][1]["content"] for row in chats(20)]
    model = LocalModel(tiny_model, batch_size=2)
    from utils.data.records import Message

    for row in rows[:3] + rows[-1:]:
        asked = [Message(**message) for message in row["prompt"]]
        alone = model.answer([asked], max_new_tokens=6, temperature=0)[0]
        assert (row["answer"], row["finish_reason"], row["answer_tokens"]) == (
            alone.text,
            alone.finish_reason,
            alone.tokens,
        )
        assert row["prompt_tokens"] == len(model.template.prompt(asked))
    told = counts(tmp_path / "run")
    assert (told["in"], told["kept"], told["quarantined"]) == (20, 20, 0)
    assert told["answer_tokens"] == sum(row["answer_tokens"] for row in rows)
    assert generate(tiny_model, source, tmp_path / "run") == 0  # done already


@pytest.mark.parametrize("keys", [{}, {"temperature": 1.0, "to": "jsonl", "top_p": 0.9}], ids=["greedy", "sampled"])
def test_a_crash_changes_nothing(tiny_model, tmp_path, monkeypatch, keys):
    source = write_jsonl(tmp_path / "chats.jsonl", chats(40))  # three units of 16
    assert generate(tiny_model, source, tmp_path / "whole", **keys) == 0
    answer, calls = LocalModel.answer, []

    def dies(self: LocalModel, prompts: Any, **options: Any) -> Any:
        calls.append(len(prompts))
        if len(calls) == 2:
            raise RuntimeError("killed in the second unit")
        return answer(self, prompts, **options)

    monkeypatch.setattr(LocalModel, "answer", dies)
    assert generate(tiny_model, source, tmp_path / "crashed", **keys) == 1
    assert not (tmp_path / "crashed" / "manifest.json").exists()
    assert generate(tiny_model, source, tmp_path / "crashed", **keys) == 0
    assert calls == [16, 16, 16, 8], "the first unit is not answered again"
    name = f"answers.{keys.get('to', 'parquet')}"
    assert (tmp_path / "crashed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert counts(tmp_path / "crashed") == counts(tmp_path / "whole")


def test_equal_prompts_are_drawn_anew_and_the_seed_decides(tiny_model, tmp_path):
    source = write_jsonl(tmp_path / "p.jsonl", [{"q": "Say anything."}] * 20)
    keys = {"text_field": "q", "temperature": 1.0, "max_new_tokens": 12, "to": "jsonl"}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert generate(tiny_model, source, tmp_path / name, seed=seed, **keys) == 0
    drawn = {name: [row["answer"] for row in read_jsonl(tmp_path / name / "answers.jsonl")] for name in "abc"}
    assert drawn["a"] == drawn["b"] != drawn["c"]
    assert len(set(drawn["a"])) == 20


def test_formats_folders_and_records(tiny_model, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    write_jsonl(folder / "alpaca.jsonl", ALPACA)
    (folder / "data.json").write_text(
        json.dumps([{"id": 1, "data": ["问题一", "答", "问题二", "答二"]}]), encoding="utf-8"
    )
    record = {
        "id": "0" * 32,
        "source": "s",
        "lang": "en",
        "messages": [{"role": "user", "content": "hi"}],
        "meta": "{}",
    }
    pq.write_table(pa.Table.from_pylist([record]), folder / "records.parquet")
    assert generate(tiny_model, folder, tmp_path / "run", system="Be brief.") == 0
    rows = answers(tmp_path / "run")
    assert [len(row["prompt"]) for row in rows] == [2] * 5 + [4, 2]
    assert {row["prompt"][0]["content"] for row in rows} == {"Be brief."}
    assert rows[-1]["id"] == record["id"]
    assert rows[0]["source"] == "alpaca"


def test_what_cannot_be_asked_is_set_aside_with_its_place(tiny_model, tmp_path, capsys):
    lines = [
        json.dumps(ALPACA[0]),
        "{broken",
        json.dumps({"instruction": "", "input": "", "output": "x"}),
        json.dumps({"other": 1}),
        json.dumps({"instruction": "字" * 2000, "input": "", "output": ""}),
        json.dumps(ALPACA[1]),
    ]
    source = tmp_path / "rows.jsonl"
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert generate(tiny_model, source, tmp_path / "run") == 3
    told = counts(tmp_path / "run")
    assert (told["in"], told["kept"], told["dropped"], told["quarantined"]) == (6, 2, 0, 4)
    aside = read_jsonl(tmp_path / "run" / "quarantine" / "rows.jsonl")
    assert [row["source_row"] for row in aside] == [1, 2, 3, 4]
    assert all(row["source_file"] == "rows.jsonl" and row["error"] for row in aside)
    assert "prompt tokens, and there is room for 250" in aside[-1]["error"]
    assert len(answers(tmp_path / "run")) == 2


def test_too_long_prompts_are_cut_by_rule(tiny_model, tmp_path):
    talk = [{"role": role, "content": f"{n} " + "很长的话" * 3} for n in range(4) for role in ("user", "assistant")]
    rows = [
        {"messages": [{"role": "system", "content": "sys"}, *talk, {"role": "user", "content": "最后的问题"}]},
        {"messages": [{"role": "user", "content": "Translate: " + "字" * 3000}]},
        {"messages": [{"role": "user", "content": "short"}]},
    ]
    source = write_jsonl(tmp_path / "long.jsonl", rows)
    assert generate(tiny_model, source, tmp_path / "run", over_length="cut") == 0
    first, second, third = answers(tmp_path / "run")
    assert [row["cut"] for row in (first, second, third)] == [True, True, False]
    assert first["prompt"][0]["content"] == "sys"
    assert first["prompt"][1]["role"] == "user"
    assert first["prompt"][-1]["content"] == "最后的问题"
    assert 2 < len(first["prompt"]) < 10
    assert second["prompt"][0]["content"].startswith("Translate: 字")
    assert second["prompt_tokens"] in range(245, 251)
    assert counts(tmp_path / "run")["cut"] == 2


def test_a_template_that_refuses_a_row_sets_that_row_aside(tiny_model, tmp_path):
    rows = [
        {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]},
        {"messages": [{"role": "user", "content": "q"}]},
    ]
    source = write_jsonl(tmp_path / "rows.jsonl", rows)
    assert generate(tiny_model, source, tmp_path / "run", template="belle", quarantine_limit=1) == 0
    assert len(answers(tmp_path / "run")) == 1
    assert "refuses the prompt" in read_jsonl(tmp_path / "run" / "quarantine" / "rows.jsonl")[0]["error"]


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"load_in_8bit": True}, "8-bit weights need a CUDA GPU"),
        ({"max_new_tokens": 256}, "the model takes 256 tokens in all: 256 new ones leave no room"),
        ({"text_field": "nope"}, "no column 'nope'"),
        ({"template": "dollie"}, "nearest: dolly"),
        ({"max_new_token": 3}, "max_new_tokens"),
    ],
)
def test_wrong_keys_are_one_error(tiny_model, tmp_path, monkeypatch, capfd, keys, what):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    source = write_jsonl(tmp_path / "a.jsonl", ALPACA)
    assert generate(tiny_model, source, tmp_path / "run", **keys) == 2
    assert what in capfd.readouterr().err
    assert not list(tmp_path.glob("run/answers*"))


def test_an_empty_file_and_a_dry_run(tiny_model, tmp_path, capsys):
    (tmp_path / "empty.jsonl").write_text("")
    assert generate(tiny_model, tmp_path / "empty.jsonl", tmp_path / "run") == 2
    source = write_jsonl(tmp_path / "a.jsonl", [*ALPACA, {"instruction": "", "input": "", "output": ""}])
    capsys.readouterr()
    words = [f"model={tiny_model}", f"input={source}", f"output={tmp_path / 'dry'}"]
    assert cli.main(["generate", "--dry-run", *(word for one in words for word in ("--set", one))]) == 2  # 256 in all
    words.append("max_new_tokens=10")
    assert cli.main(["generate", "--dry-run", *(word for one in words for word in ("--set", one))]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["in"], shown["kept"], shown["quarantined"], shown["most_new_tokens"]) == (6, 5, 1, 50)
    assert shown["prompt_tokens"] > 0
    assert not (tmp_path / "dry").exists()
