"""Files in parts, conversations in parts, question–answer dumps."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from cleaning.convert import long_turns, question_answer, run, split_file
from utils.errors import UserError

LINES = [json.dumps({"id": i, "text": "字" * i}, ensure_ascii=False).encode() for i in range(25)]


def jsonl(path: Path, lines: list[bytes] = LINES) -> Path:
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


@pytest.mark.parametrize(
    ("limit", "parts"), [({"rows": 10}, 3), ({"rows": 25}, 1), ({"rows": 1}, 25), ({"size": 200}, 10)]
)
def test_every_row_is_in_one_part_and_in_order(limit: dict[str, int], parts: int, tmp_path: Path) -> None:
    found = list(split_file(jsonl(tmp_path / "a.jsonl"), tmp_path / "out", **limit))
    assert [path.name for path in found] == [f"a-{number:05}.jsonl" for number in range(len(found))]
    assert b"".join(path.read_bytes() for path in found) == (tmp_path / "a.jsonl").read_bytes()
    if "size" in limit:
        assert all(path.stat().st_size <= 200 or path.read_bytes().count(b"\n") == 1 for path in found)
    else:
        assert len(found) == parts
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [path.name for path in found]


def test_arrays_compressed_files_and_broken_lines(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([json.loads(line) for line in LINES], indent=2), encoding="utf-8")
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b"\n".join([*LINES, b"{broken"])))
    rows = [json.loads(line) for line in LINES]
    for name, extra in (("a.json", []), ("b.jsonl.gz", [b"{broken"])):
        lines = [
            line
            for path in split_file(tmp_path / name, tmp_path / name[0], rows=7)
            for line in path.read_bytes().split(b"\n")[:-1]
        ]
        assert [json.loads(line) for line in lines[:25]] == rows
        assert lines[25:] == extra


def test_parts_that_are_there_stay_and_others_are_not_written_over(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "a.jsonl")
    first = list(split_file(source, tmp_path / "out", rows=10))
    first[2].unlink()  # as a kill leaves it
    times = first[0].stat().st_mtime_ns
    assert list(split_file(source, tmp_path / "out", rows=10)) == first
    assert first[0].stat().st_mtime_ns == times
    with pytest.raises(UserError, match="another file"):  # the original wrote over part 0
        list(split_file(jsonl(source, LINES[5:]), tmp_path / "out", rows=10))
    assert first[0].read_bytes() == b"\n".join(LINES[:10]) + b"\n"


@pytest.mark.parametrize("limit", [{}, {"rows": 1, "size": 1}, {"rows": 0}])
def test_one_limit_is_needed(limit: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="either rows or bytes"):
        list(split_file(jsonl(tmp_path / "a.jsonl"), tmp_path / "out", **limit))


@pytest.mark.parametrize(
    ("row", "turns"),
    [
        ({"question": "怎么办？", "answer": "重启。"}, [("怎么办？", "重启。")]),
        ({"title": "问", "desc": "细节", "answers": ["一", "二"]}, [("问\n细节", "一"), ("问\n细节", "二")]),
        ({"q": "Q", "a": "A", "source": "s"}, [("Q", "A")]),
        ({"title": "问", "desc": "问", "best_answer": " 答 "}, [("问", "答")]),
        ({"question": "问", "answers": [{"content": "答", "likes": 3}, {"content": ""}]}, [("问", "答")]),
    ],
)
def test_answers_become_chats(row: dict[str, Any], turns: list[tuple[str, str]]) -> None:
    found = list(question_answer([row]))
    assert [(r["messages"][0]["content"], r["messages"][1]["content"]) for r in found] == turns
    assert all([turn["role"] for turn in r["messages"]] == ["user", "assistant"] for r in found)
    assert all(r.get("source") == row.get("source") for r in found)


@pytest.mark.parametrize(
    "row", [{"text": "x"}, {"question": "问"}, {"question": " ", "answer": "答"}, {"question": "问", "answers": []}]
)
def test_rows_without_an_answer_are_not_lost(row: dict[str, Any]) -> None:
    assert list(question_answer([row])) == [row]


def test_long_turns_by_the_estimate() -> None:
    turns = [{"from": who, "value": "字" * 100} for _ in range(3) for who in ("human", "gpt")]
    parts = list(long_turns([{"id": "a", "conversations": turns}, {"id": "b", "conversations": turns[:2]}], 260))
    assert [(part["id"], len(part["conversations"])) for part in parts] == [("a-1", 4), ("a-2", 2), ("b", 2)]


def test_the_command(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "dump.jsonl", [b'{"question": "Q", "answer": "A"}'])
    assert run(["questions", str(source), str(tmp_path / "chat.jsonl")]) == 0
    assert json.loads((tmp_path / "chat.jsonl").read_text())["messages"][1] == {"role": "assistant", "content": "A"}
    assert run(["turns", str(tmp_path / "chat.jsonl"), str(tmp_path / "parts.jsonl"), "--max-tokens", "5"]) == 0
    assert (tmp_path / "parts.jsonl").read_bytes() == (tmp_path / "chat.jsonl").read_bytes()
    assert run(["split", str(source), str(tmp_path / "parts"), "--rows", "1"]) == 0
    assert (tmp_path / "parts" / "dump-00000.jsonl").read_bytes() == source.read_bytes()
    with pytest.raises(UserError, match="another file"):
        run(["questions", str(tmp_path / "chat.jsonl"), str(tmp_path / "parts" / "dump-00000.jsonl")])
