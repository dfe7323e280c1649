"""Every format: what it finds, what replacing leaves alone, and what it refuses."""

import copy
import hashlib
import json
import pickle
from pathlib import Path

import pytest

import utils.data.formats as formats
from utils.data.formats import FORMATS, RowError, detect, format_named, replace
from utils.data.records import Message, content_id, from_dicts
from utils.data.rows import preference_from_row, record_from_row, row_id, to_trl
from utils.errors import UserError

ROWS = {
    "data_list": {"id": "7", "score": "4.5\n", "data": ["q1", "a1", "q2", "a2"], "x": [1, {"y": None}]},
    "alpaca": {"instruction": "Add", "input": "1 2", "output": "3", "category": "math", "n": 2.50},
    "dolly": {"instruction": "Who?", "context": "", "response": "Me", "category": "open_qa"},
    "sharegpt": {"id": 1, "conversations": [{"from": "human", "value": "hi"}, {"from": "GPT", "value": "ho", "w": 1}]},
    "chat": {"messages": [{"role": "system", "content": "s"}, {"content": "q", "role": "user"}], "extra": {"a": [1]}},
    "prompt_completion": {"completion": "c", "prompt": "p"},
    "seed_task": {
        "id": "seed_1",
        "name": "n",
        "instruction": "Do",
        "instances": [{"input": "i", "output": "o"}, {"input": "", "output": "o2"}],
        "is_classification": False,
    },
    "comparison": {"user_input": "u", "completion_a": "a", "completion_b": "b"},
    "preference": {"id": "p1", "source": "s", "prompt": "p", "chosen": "good", "reject": "bad"},
    "trl_preference": {
        "prompt": [{"role": "user", "content": "p"}],
        "chosen": [{"role": "assistant", "content": "good"}],
        "rejected": [{"role": "assistant", "content": "bad"}],
    },
    "document": {"title": "T", "content": "long text", "url": "u"},
}
MESSAGES = {
    "data_list": [("user", "q1"), ("assistant", "a1"), ("user", "q2"), ("assistant", "a2")],
    "alpaca": [("user", "Add\n1 2"), ("assistant", "3")],
    "dolly": [("user", "Who?"), ("assistant", "Me")],
    "sharegpt": [("user", "hi"), ("assistant", "ho")],
    "chat": [("system", "s"), ("user", "q")],
    "prompt_completion": [("user", "p"), ("assistant", "c")],
    "seed_task": [("user", "Do\ni"), ("assistant", "o")],
    "comparison": [("user", "u"), ("assistant", "a")],
    "preference": [("user", "p"), ("assistant", "good")],
    "trl_preference": [("user", "p"), ("assistant", "good")],
    "document": [("document", "long text")],
}


def test_every_format_has_one_file_and_one_line():
    folder = Path(formats.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "base", "text_field"}
    assert files == {known.name for known in FORMATS}
    assert len(FORMATS) == len(files) == len(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_detected_read_and_replaced(name):
    row = ROWS[name]
    before = copy.deepcopy(row)
    fmt = detect(row)
    assert fmt.name == name
    assert [(m.role, m.content) for m in fmt.messages(row)] == MESSAGES[name]
    texts = fmt.texts(row)
    changed = replace(row, {path: text + "!" for path, _, text in texts})
    assert [(p, r, t + "!") for p, r, t in texts] == fmt.texts(changed)
    assert json.dumps(replace(changed, {p: t for p, _, t in texts})) == json.dumps(row) == json.dumps(before)
    assert json.dumps(row) == json.dumps(before), "the row itself was changed"
    assert pickle.loads(pickle.dumps(fmt)).name == name  # noqa: S301


def test_replace_copies_only_along_the_path():
    row = ROWS["data_list"]
    changed = replace(row, {("data", 1): "new"})
    assert changed["data"] == ["q1", "new", "q2", "a2"]
    assert changed["x"] is row["x"] and list(changed) == list(row)
    with pytest.raises(RowError, match=r"data\[9\]"):
        replace(row, {("data", 9): "new"})


BAD = [
    ("data_list", {"data": "q"}, "data"),
    ("data_list", {"data": ["q"]}, "1 turns"),
    ("data_list", {"data": ["q", 3]}, r"data\[1\] is int"),
    ("data_list", {"data": []}, "empty"),
    ("alpaca", {"instruction": "i", "output": None}, "output is null"),
    ("alpaca", {"instruction": ["i"], "output": "o"}, "instruction is list"),
    ("alpaca", {"instruction": "i", "input": 3, "output": "o"}, "input is int"),
    ("dolly", {"instruction": "i", "context": "", "response": {}}, "response is dict"),
    ("sharegpt", {"conversations": "text"}, "conversations is str"),
    ("sharegpt", {"conversations": [{"from": "alien", "value": "x"}]}, "alien"),
    ("sharegpt", {"conversations": ["x"]}, "str where a dict"),
    ("chat", {"messages": [{"role": "user"}]}, r"messages\[0\].content"),
    ("chat", {"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "list, not a text"),
    ("seed_task", {"instruction": "i", "instances": []}, "empty"),
    ("seed_task", {"instruction": "i", "instances": [{"input": "i"}]}, "output"),
    ("comparison", {"user_input": "u", "completion_a": None, "completion_b": "b"}, "null"),
    ("preference", {"prompt": "p", "chosen": "c", "reject": "r", "rejected": "r"}, "both"),
    ("preference", {"prompt": "p", "chosen": "c", "reject": None, "rejected": None}, "reject is null"),
    ("preference", {"prompt": ["q", "a"], "chosen": "c", "rejected": "r"}, "ends with the assistant"),
    ("preference", {"prompt": "p", "chosen": ["a", "b"], "rejected": "r"}, "2 texts"),
    ("preference", {"prompt": "p", "chosen": [{"role": "user", "content": "p"}], "rejected": "r"}, "begin and end"),
    ("document", {"text": 4}, "text is int"),
    ("document", {"text": "a", "content": "b"}, "both content and text"),
]


@pytest.mark.parametrize(("name", "row", "message"), BAD)
def test_type_drift_is_a_row_error(name, row, message):
    fmt = detect(row)
    assert fmt.name == name
    for read in (fmt.texts, fmt.messages):
        with pytest.raises(RowError, match=message):
            read(row)
    with pytest.raises(RowError):
        record_from_row(row, fmt, "s")


@pytest.mark.parametrize("key", [known.name for known in FORMATS])
def test_a_row_of_another_shape_is_a_row_error(key):
    with pytest.raises(RowError):
        format_named(key).texts({"something": "else"})


def test_unknown_and_ambiguous_are_told():
    with pytest.raises(UserError) as unknown:
        detect({"question": "q", "antwort": 1}, where="a.jsonl")
    assert "question, antwort" in str(unknown.value) and "alpaca" in str(unknown.value) and unknown.value.exit_code == 2
    both = {"messages": [{"role": "user", "content": "q"}], "text": "q"}
    with pytest.raises(UserError, match="chat, document") as ambiguous:
        detect(both)
    assert "`format:`" in str(ambiguous.value)
    assert detect(both, name="chat").name == "chat"
    with pytest.raises(UserError, match="did you mean alpaca"):
        detect(both, name="alpacca")


def test_text_field():
    fmt = detect({"output": "text", "n": 1}, text_field="output")
    record = record_from_row({"output": "text", "n": 1}, pickle.loads(pickle.dumps(fmt)), "t")  # noqa: S301
    assert record.messages == (Message("document", "text"),) and record.meta == {"n": 1}
    with pytest.raises(UserError, match="no column 'body'"):
        detect({"output": "text"}, text_field="body")


def test_alpaca_without_input():
    for extra in ({}, {"input": ""}, {"input": None}):
        row = {"instruction": "i", **extra, "output": "o"}
        assert detect(row).messages(row) == (Message("user", "i"), Message("assistant", "o"))


def test_golden_id():
    text = '[{"content":"Add\\n1 2","role":"user"},{"content":"三","role":"assistant"}]'
    expected = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    row = {"instruction": "Add", "input": "1 2", "output": "三"}
    assert row_id(row, detect(row)) == expected == "".join(expected.split())
    assert content_id(from_dicts([{"role": "user", "content": "a\ud800b"}])) == content_id(
        [Message("user", "a\ufffdb")]
    )


def test_clean_id_is_used_everywhere():
    given = "0" * 31 + "f"
    for row in ROWS.values():
        marked = row | {"clean_id": given, "clean_status": 1}
        record = record_from_row(marked, detect(row), "s")
        assert row_id(marked, detect(row)) == record.id == given
        assert not any(key.startswith("clean_") for key in record.meta)
        with pytest.raises(RowError, match="clean_id"):
            row_id(row | {"clean_id": 3}, detect(row))


def test_meta_and_language():
    record = record_from_row(ROWS["data_list"], detect(ROWS["data_list"]), "src")
    assert (record.source, record.lang, record.meta) == ("src", "en", {"original_id": "7", "score": "4.5\n"})
    assert record_from_row(ROWS["document"], detect(ROWS["document"]), "s").meta == {"title": "T", "url": "u"}


def test_preferences():
    ids = set()
    for name in ("preference", "trl_preference"):
        pair = preference_from_row(ROWS[name], detect(ROWS[name]), "s")
        ids.add(pair.id)
        assert pair.prompt == (Message("user", "p"),) and pair.rejected == (Message("assistant", "bad"),)
        again = to_trl(pair)
        assert preference_from_row(again, detect(again), "s").id == pair.id == row_id(ROWS[name], detect(ROWS[name]))
        assert again["chosen"] == [{"role": "assistant", "content": "good"}] and again["source"] == "s"
    assert len(ids) == 1
    text = (
        '{"chosen":[{"content":"good","role":"assistant"}],"prompt":[{"content":"p","role":"user"}],'
        '"rejected":[{"content":"bad","role":"assistant"}]}'
    )
    assert ids == {hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}
    with pytest.raises(RowError, match="no preference"):
        preference_from_row(ROWS["alpaca"], detect(ROWS["alpaca"]), "s")


def test_columns_that_a_merge_left_null_count_as_absent():
    row = {"prompt": "p", "chosen": "good", "reject": "bad", "clean_id": None}
    expected = row_id({key: row[key] for key in ("prompt", "chosen", "reject")}, format_named("preference"))
    for both in (row | {"rejected": None}, row | {"reject": None, "rejected": "bad"}):
        assert row_id(both, detect(both)) == preference_from_row(both, detect(both), "s").id == expected
