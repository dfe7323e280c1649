"""The cache file itself, replay from it, and scripts."""

from __future__ import annotations

import errno
import json
import os

import pyarrow as pa
import pytest
from pydantic import TypeAdapter

from utils.data.records import Message, write_parquet
from utils.errors import RetryLaterError, UserError
from utils.models.chat.cache import AnswerCache, request_hash
from utils.models.chat.config import ChatModelConfig
from utils.models.chat.protocol import Answer, Request, Sampling

HI = Request((Message("user", "你好"),))


def chat_model(**keys):
    return TypeAdapter(ChatModelConfig).validate_python(keys)


def test_the_hash_of_a_request_is_its_content():
    same = Request((Message("user", "你好"),), Sampling(), None)
    assert (
        request_hash(same) == request_hash(HI) == "8b991c1d84844d6a7456b46921b8dba9"
    )  # or old answers would be paid again
    others = [
        Request((Message("user", "你好 "),)),
        Request((Message("system", "你好"),)),
        Request((Message("user", "你"), Message("user", "好"))),
        Request(HI.messages, Sampling(seed=1)),
        Request(HI.messages, schema={}),
    ]
    assert len({request_hash(request) for request in [HI, *others]}) == 6
    assert request_hash(Request((Message("user", "\ud800"),)))


def test_a_cut_line_costs_one_answer_and_no_other(tmp_path):
    cache = AnswerCache(tmp_path)
    answers = {name: Answer(text=f"答{name}", first_token={"8": -0.5}, prompt_tokens=3) for name in "abc"}
    for name, answer in answers.items():
        cache.put(name, answer, cost=0.25)
    assert cache.spent == 0.75
    file = tmp_path / "answers.jsonl"
    whole = file.read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    for cut in sorted({0, 1, 40, *ends, *(end - 1 for end in ends), *(end + 20 for end in ends[:-1])}):
        file.write_bytes(whole[:cut])
        again = AnswerCache(tmp_path)
        lines = whole[:cut].count(b"\n")
        assert len(again) == lines
        again.put("new", Answer(text="x"))
        read = AnswerCache(tmp_path)
        assert len(read) == lines + 1 + (whole[cut : cut + 1] == b"\n")  # only its line end was missing
        assert read.get("new") == Answer(text="x", cached=True)
        if lines:
            assert read.get("a") == Answer(text="答a", first_token={"8": -0.5}, prompt_tokens=3, cached=True)


def test_the_first_answer_counts_and_every_payment(tmp_path):
    one, two = AnswerCache(tmp_path), AnswerCache(tmp_path)
    one.put("a", Answer(text="first"), cost=1.0)
    two.put("a", Answer(text="second"), cost=1.0)
    one.refresh()
    assert one.get("a").text == two.get("a").text == "first"
    assert one.spent == two.spent == 2.0


def test_a_script_goes_on_after_a_kill(tmp_path):
    config = chat_model(kind="scripted", replies=["one", "two", "three"], first_tokens=[{"8": -0.1}])
    asked = [Request((Message("user", text),), Sampling(top_logprobs=2)) for text in "abcd"]
    with config.open(tmp_path) as model:
        assert [answer.text for answer in model.ask(asked[:2])] == ["one", "two"]
    with config.open(tmp_path) as model:
        answers = model.ask(asked)
    assert [answer.text for answer in answers] == ["one", "two", "three", None]
    assert answers[3].error == "the script has only 3 replies"
    assert (answers[0].first_token, answers[1].first_token) == ({"8": -0.1}, None)
    assert config.leaves_host is None


def test_replay_of_what_a_run_has_kept(tmp_path):
    with chat_model(kind="scripted", replies=["hi"]).open(tmp_path) as model:
        model.ask([HI])
    stored = next(tmp_path.rglob("answers.jsonl"))
    with chat_model(kind="replay", file=stored).open(tmp_path) as model:
        found, missing = model.ask([HI, Request((Message("user", "?"),))])
    assert (found.text, found.finish_reason, found.cached) == ("hi", "stop", True)
    assert (missing.text, missing.error) == (None, "no stored answer")


def test_replay_by_prompt_from_parquet(tmp_path):
    table = pa.table({"instruction": ["你好", "bye"], "output": ["hi", "goodbye"]})
    write_parquet(table, tmp_path / "a.parquet")
    keys = {"file": tmp_path / "a.parquet", "key": "prompt", "key_field": "instruction", "text_field": "output"}
    with chat_model(kind="replay", **keys).open(tmp_path) as model:
        assert model.ask([HI])[0].text == "hi"


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([{"request": "a"}], "no field 'text'"),
        ([{"request": "a", "text": 5}], "no text but int"),
        ([{"request": "a", "text": "x"}, {"request": "a", "text": "y"}], "another answer to 'a'"),
    ],
)
def test_bad_replay_files_say_where(tmp_path, rows, why):
    file = tmp_path / "a.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with (
        pytest.raises(UserError, match=f"row {len(rows)}: .*{why}"),
        chat_model(kind="replay", file=file).open(tmp_path),
    ):
        pass


def test_a_file_larger_than_a_block_is_read_whole(tmp_path, monkeypatch):
    cache = AnswerCache(tmp_path)
    answers = {f"k{number}": Answer(text="字" * size) for number, size in enumerate((3, 5000, 1, 200, 40))}
    for name, answer in answers.items():
        cache.put(name, answer, cost=1.0)
    monkeypatch.setattr("utils.models.chat.paid._BLOCK", 300)
    again = AnswerCache(tmp_path)
    assert {name: again.get(name).text for name in answers} == {name: answer.text for name, answer in answers.items()}
    assert (again.spent, again.damaged) == (5.0, 0)


@pytest.mark.parametrize("when", ["writing", "flushing"])
def test_a_full_disk_keeps_what_was_there_and_ends_with_75(tmp_path, monkeypatch, when):
    cache = AnswerCache(tmp_path)
    cache.put("a", Answer(text="kept"))
    before = (tmp_path / "answers.jsonl").read_bytes()

    def write_half(descriptor, text, place):
        os.pwrite(descriptor, text[: len(text) // 2], place)
        raise OSError(errno.ENOSPC, "No space left on device")

    def cannot_flush(descriptor):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    name, full = ("_write_at", write_half) if when == "writing" else ("os.fsync", cannot_flush)
    with monkeypatch.context() as patched, pytest.raises(RetryLaterError, match="no space left"):
        patched.setattr(f"utils.models.chat.paid.{name}", full)
        cache.put("b", Answer(text="lost"))
    if when == "writing":
        assert (tmp_path / "answers.jsonl").read_bytes() == before
    cache.put("c", Answer(text="later"))
    again = AnswerCache(tmp_path)
    assert (again.get("a").text, again.get("c").text, again.damaged) == ("kept", "later", 0)
