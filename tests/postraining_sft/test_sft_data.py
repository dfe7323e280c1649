"""From records to token rows, and why a row is left out."""

from __future__ import annotations

import pytest

from postraining_sft.config import DataSource, SftConfig
from postraining_sft.data import IGNORED, decide, read_rows, times
from tests.support.tiny import chats, write_jsonl
from utils.data.records import Message, Record
from utils.models.locate import load_tokenizer
from utils.models.templates import ChatTemplate


@pytest.fixture(scope="module")
def template(tiny_model):
    return ChatTemplate(load_tokenizer(tiny_model))


def config(**more) -> SftConfig:
    return SftConfig.model_validate({"model": "m", "output": "o", "data": ["d"], **more})


def record(*turns: tuple[str, str]) -> Record:
    return Record("0" * 32, "s", "en", tuple(Message(role, content) for role, content in turns))


def test_labels_are_the_assistants_tokens(template, tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", chats(3))
    rows = read_rows(config(), [DataSource(path=data)], template)
    for row, chat in zip(rows.dataset(), chats(3), strict=True):
        trained = [label for label in row["labels"] if label != IGNORED]
        assert template.tokenizer.decode(trained) == chat["messages"][1]["content"] + "<|im_end|>"
        assert len(row["labels"]) == len(row["input_ids"])


def test_documents_train_on_every_token(template):
    rendered, _ = decide(record(("document", "一个文档")), config(), template)
    assert set(rendered.mask) == {1}


def test_over_length_is_dropped_or_cut(template):
    long = record(("user", "hi"), ("assistant", "word " * 100))
    assert decide(long, config(max_length=40), template) == (None, ["over_length"])
    rendered, what = decide(long, config(max_length=40, over_length="keep"), template)
    assert (len(rendered.ids), what) == (40, ["cut"])
    prompt_only = record(("user", "word " * 100), ("assistant", "x"))
    assert decide(prompt_only, config(max_length=40, over_length="keep"), template) == (None, ["over_length"])


def test_nobody_answers(template):
    assert decide(record(("user", "hi")), config(), template) == (None, ["no_assistant_turn"])


def test_a_row_that_the_template_refuses_is_dropped(tiny_model, tmp_path):
    tokenizer = load_tokenizer(tiny_model)
    refuse = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    tokenizer.chat_template = refuse + str(tokenizer.chat_template)
    template = ChatTemplate(tokenizer)
    asked = (("user", "hi"), ("assistant", "yes"))
    assert decide(record(("system", "be kind"), *asked), config(), template) == (None, ["template_refuses"])
    assert decide(record(*asked), config(), template)[1] == []


def test_weights_repeat_and_thin_out_by_id():
    ids = [f"{n:032x}" for n in range(2000)]
    assert {times(i, 2.0, 1) for i in ids} == {2}
    half = [times(i, 0.5, 1) for i in ids]
    assert set(half) == {0, 1}
    assert 900 < sum(half) < 1100
    assert half == [times(i, 0.5, 1) for i in ids] != [times(i, 0.5, 2) for i in ids]


def test_every_row_has_a_decision(template, tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", chats(40))
    rows = read_rows(config(max_length=60), [DataSource(path=data, weight=0.5)], template)
    assert len(rows.decisions) == 40
    assert len(rows.rows) == sum(decision.kept for decision in rows.decisions)
    assert {reason for decision in rows.decisions for reason in decision.reasons} == {"over_length", "weight"}
    assert rows.per_source["d", "rows"] == len(rows.rows)


def test_a_path_alone_is_a_source():
    assert config(data=["a", {"path": "b", "weight": 2}]).data[0].weight == 1.0
