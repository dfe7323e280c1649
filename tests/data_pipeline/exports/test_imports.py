"""What other trainers' files say, row by row, and what is refused rather than guessed."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from stages import jsonl, run

from utils.data.records import Message, content_id, from_dicts
from utils.data.streaming import iter_preferences, iter_records
from utils.runs.commit import read_json

ALPACA = {"prompt": "instruction", "query": "input", "response": "output", "system": "system", "history": "history"}
OPENAI = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
}


def described(folder: Path, **entries: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "dataset_info.json"
    path.write_text(json.dumps(entries, ensure_ascii=False), encoding="utf-8")
    return path


def brought(tmp_path: Path, source: Path, **keys: Any) -> tuple[int, Path]:
    output = tmp_path / "imported"
    return run("import", {"input": str(source), "output": str(output), **keys}, tmp_path), output


def messages(*turns: tuple[str, str]) -> tuple[Message, ...]:
    return tuple(Message(role, text) for role, text in turns)


def test_alpaca_rows_mean_what_llama_factory_makes_of_them(tmp_path: Path) -> None:
    rows = [
        {"instruction": "翻译", "input": "hello", "output": "你好", "system": "", "history": []},
        {
            "instruction": "再来",
            "input": None,
            "output": "好",
            "system": "你是译者",
            "history": [["一", "1"], ["二", "2"]],
        },
    ]
    folder = tmp_path / "data"
    info = described(folder, demo={"file_name": "a.json", "columns": ALPACA}, plain={"file_name": "b.jsonl"})
    (folder / "a.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    jsonl(folder / "b.jsonl", [{"instruction": "i", "input": "x", "output": "o", "history": [["h", "h"]]}])
    code, output = brought(tmp_path, info)
    assert code == 0
    assert [r.messages for r in iter_records(output / "good" / "demo.jsonl")] == [
        messages(("user", "翻译\nhello"), ("assistant", "你好")),
        messages(
            ("system", "你是译者"), ("user", "一"), ("assistant", "1"), ("user", "二"), ("assistant", "2"),
            ("user", "再来"), ("assistant", "好"),
        ),
    ]  # fmt: skip
    # without `columns` the defaults have no history
    assert [r.messages for r in iter_records(output / "good" / "plain.jsonl")] == [
        messages(("user", "i\nx"), ("assistant", "o"))
    ]
    assert {r.source for r in iter_records(output)} == {"demo", "plain"}


def test_tags_columns_ranking_and_documents(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    info = described(
        folder,
        chat={"file_name": "c.jsonl", "formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": OPENAI},
        conv={
            "file_name": "s.jsonl",
            "formatting": "sharegpt",
            "columns": {"messages": "conversations", "system": "sys"},
        },
        rank={
            "file_name": "r.jsonl",
            "formatting": "sharegpt",
            "ranking": True,
            "columns": {"messages": "conversations", "chosen": "better", "rejected": "worse"},
        },
        rank2={
            "file_name": "r2.jsonl",
            "ranking": True,
            "columns": {"prompt": "q", "chosen": "chosen", "rejected": "rejected"},
        },
        text={"file_name": "t.jsonl", "columns": {"prompt": "text"}},
    )
    chat = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "问"},
        {"role": "assistant", "content": "答"},
    ]
    jsonl(folder / "c.jsonl", [{"messages": chat}])
    said = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
    jsonl(folder / "s.jsonl", [{"conversations": said, "sys": "规则"}])
    better, worse = {"from": "gpt", "value": "好"}, {"from": "gpt", "value": "坏"}
    jsonl(folder / "r.jsonl", [{"conversations": [*said, said[0]], "better": better, "worse": worse}])
    jsonl(folder / "r2.jsonl", [{"q": "q", "chosen": "c", "rejected": "r"}])
    jsonl(folder / "t.jsonl", [{"text": "一篇文章"}])
    code, output = brought(tmp_path, info)
    assert code == 0
    good = output / "good"
    assert [r.messages for r in iter_records(good / "chat.jsonl")] == [from_dicts(chat)]
    assert [r.id for r in iter_records(good / "chat.jsonl")] == [content_id(from_dicts(chat))]
    assert [r.messages for r in iter_records(good / "conv.jsonl")] == [
        messages(("system", "规则"), ("user", "q"), ("assistant", "a"))
    ]
    pair = next(iter_preferences(good / "rank.jsonl"))
    assert pair.prompt == messages(("user", "q"), ("assistant", "a"), ("user", "q"))
    assert (pair.chosen, pair.rejected) == (messages(("assistant", "好")), messages(("assistant", "坏")))
    pair = next(iter_preferences(good / "rank2.jsonl"))
    assert (pair.prompt, pair.chosen) == (messages(("user", "q")), messages(("assistant", "c")))
    assert [r.messages for r in iter_records(good / "text.jsonl")] == [messages(("document", "一篇文章"))]


def test_rows_that_cannot_be_read_are_quarantined_with_their_place(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    info = described(folder, d={"file_name": "d.jsonl", "formatting": "sharegpt"})
    good = {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}
    bad = [
        {"conversations": [{"from": "human", "value": "q"}]},
        {"conversations": [{"from": "human", "value": "q"}, {"from": "function_call", "value": "{}"}]},
        {"conversations": []},
        {"conversations": [{"from": "gpt", "value": "a"}, {"from": "human", "value": "q"}]},
        {"conversations": [{"from": "human", "value": 3}, {"from": "gpt", "value": "a"}]},
        {**good, "clean_id": "../../etc"},
    ]
    file = jsonl(folder / "d.jsonl", [good, *bad])
    with file.open("ab") as more:
        more.write(b'{"conversations": [\n')
    code, output = brought(tmp_path, info)
    assert code == 3  # 7 of 8 rows
    counts = read_json(output / "manifest.json")["counts"]
    assert counts == {"in": 8, "kept": 1, "dropped": 0, "quarantined": 7, "by_reason": {}}
    lines = [json.loads(line) for line in (output / "quarantine/d.jsonl").read_text().splitlines()]
    assert [line["source_row"] for line in lines] == [1, 2, 3, 4, 5, 6, 7]
    assert json.loads(base64.b64decode(lines[0]["raw_base64"])) == bad[0]
    assert [line["error"].split(":")[0] for line in lines[:6]] == [
        "no answer at the end",
        "a turn by 'function_call'",
        "conversations is no list of turns",
        "turns do not alternate between user and assistant",
        "value is int, not a text",
        "clean_id is '../../etc', not 32 hex digits",
    ]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"hf_hub_url": "x/y"}, "hf_hub_url 'x/y' is not a file"),
        ({"hf_hub_url": "x/y", "file_name": "d.jsonl"}, "nothing is downloaded here"),
        ({"file_name": "d.jsonl", "columns": {"prompt": "a", "images": "i"}}, "the column 'images'"),
        ({"file_name": "d.jsonl", "columns": {"prompt": "a", "response": "b", "kto_tag": "k"}}, "the column 'kto_tag'"),
        ({"file_name": "d.jsonl", "num_samples": 5}, "the key 'num_samples'"),
        ({"file_name": "d.jsonl", "formatting": "openai"}, "formatting 'openai'"),
        ({"file_name": "d.jsonl", "formatting": "sharegpt", "tags": {"roletag": "r"}}, "nearest: role_tag"),
        ({"file_name": "d.jsonl", "ranking": True, "columns": {"prompt": "a"}}, "columns say nothing of 'chosen'"),
        ({"file_name": "missing.jsonl"}, "no such file or folder"),
        ({}, "no file_name"),
    ],
)
def test_an_entry_that_would_lose_something_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], entry: dict[str, Any], message: str
) -> None:
    info = described(tmp_path / "data", d=entry)
    jsonl(tmp_path / "data" / "d.jsonl", [{"instruction": "i", "input": "", "output": "o"}])
    code, _ = brought(tmp_path, info)
    error = capsys.readouterr().err
    assert code == 2
    assert message in error and len(error.splitlines()) == 1


def test_datasets_are_chosen_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    info = described(folder, one={"file_name": "a.jsonl"}, hub={"hf_hub_url": "x/y"})
    jsonl(folder / "a.jsonl", [{"instruction": "i", "input": "", "output": "o"}])
    assert brought(tmp_path, info, datasets=["on"])[0] == 2
    assert "nearest: one" in capsys.readouterr().err
    code, output = brought(tmp_path, info, datasets=["one"])
    assert code == 0
    assert [path.name for path in (output / "good").iterdir()] == ["one.jsonl"]


def test_every_shape_that_ms_swift_reads(tmp_path: Path) -> None:
    rounds = [{"human": "一", "assistant": "1"}, {"human": "二", "assistant": "2"}]
    chat = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    jsonl(
        tmp_path / "swift.jsonl",
        [
            {"messages": chat},
            {"system": "s", "conversation": rounds},
            {"query": "三", "response": "3", "history": [["一", "1"]], "system": None},
            {"instruction": "i", "input": "x", "output": "o"},
            {"messages": [{"role": "assistant", "content": "a document"}]},
            {"messages": chat, "images": ["a.png"]},
        ],
    )
    code, output = brought(tmp_path, tmp_path / "swift.jsonl", kind="ms-swift", quarantine_limit=0.5)
    assert code == 0
    lines = [json.loads(line) for line in (output / "good/swift.jsonl").read_text().splitlines()]
    assert [line.get("messages", line.get("text")) for line in lines] == [
        chat,
        [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "一"},
            {"role": "assistant", "content": "1"},
            {"role": "user", "content": "二"},
            {"role": "assistant", "content": "2"},
        ],
        [
            {"role": "user", "content": "一"},
            {"role": "assistant", "content": "1"},
            {"role": "user", "content": "三"},
            {"role": "assistant", "content": "3"},
        ],
        [{"role": "user", "content": "i\nx"}, {"role": "assistant", "content": "o"}],
        "a document",
    ]
    assert "images has no counterpart" in (output / "quarantine/swift.jsonl").read_text()


def test_a_killed_import_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    info = described(folder, one={"file_name": "a.jsonl"}, two={"file_name": "b.jsonl"})
    for name in ("a", "b"):
        jsonl(folder / f"{name}.jsonl", [{"instruction": name, "input": "", "output": "o"}])
    _, output = brought(tmp_path, info)
    before = {p.name: p.read_bytes() for p in (output / "good").iterdir()}
    (output / "manifest.json").unlink()
    (output / "good/two.jsonl").unlink()
    code, _ = brought(tmp_path, info)
    assert code == 0
    assert {p.name: p.read_bytes() for p in (output / "good").iterdir()} == before
