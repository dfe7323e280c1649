"""From records to token rows, and why a row is left out."""

from __future__ import annotations

import copy
import errno
import gc
import logging
import math
import multiprocessing
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import postraining_sft.data
import postraining_sft.tokenising
from postraining_sft.config import DataSource, SftConfig
from postraining_sft.data import IGNORED, Decided, decide, read_rows, times
from tests.support.tiny import chats, write_jsonl
from utils.data.records import Message, Record
from utils.errors import InterruptedRunError, RetryLaterError, UserError
from utils.models.locate import load_tokenizer
from utils.models.templates import ChatTemplate
from utils.runs.directory import Run
from utils.training.decisions import count


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
    answers = {chat["messages"][1]["content"] + "<|im_end|>" for chat in chats(3)}
    found = set()
    for item in rows.dataset():
        found.add(template.tokenizer.decode([label for label in item["labels"] if label != IGNORED]))
        assert len(item["labels"]) == len(item["input_ids"])
        assert item["document"] == 0
    assert found == answers


def test_documents_train_on_every_token(template):
    (row,) = decide(record(("document", "一个文档")), config(), template).rows
    assert set(row.mask) == {1}


def test_over_length_is_dropped_or_cut(template):
    long = record(("user", "hi"), ("assistant", "word " * 100))
    assert decide(long, config(max_length=40), template) == Decided([], ("over_length",))
    decided = decide(long, config(max_length=40, over_length="keep"), template)
    assert ([len(row.ids) for row in decided.rows], decided.reasons) == ([40], ("cut",))
    prompt_only = record(("user", "word " * 100), ("assistant", "x"))
    assert decide(prompt_only, config(max_length=40, over_length="keep"), template) == Decided([], ("over_length",))


def test_a_long_conversation_is_split_at_turns(template):
    turns = [turn for n in range(4) for turn in (("user", f"ask {n}"), ("assistant", f"answer {n} " + "word " * 5))]
    split = config(max_length=60, over_length="split")
    decided = decide(record(*turns), split, template)
    assert decided.reasons == ("split",)
    texts = [template.tokenizer.decode(row.ids) for row in decided.rows]
    assert len(texts) > 1
    assert all(len(row.ids) <= 60 for row in decided.rows)
    assert [text.count("answer") for text in texts] == [text.count("ask") for text in texts]
    assert sum(text.count("answer") for text in texts) == 4
    partly = decide(record(*turns, ("user", "x"), ("assistant", "word " * 100)), split, template)
    assert (partly.rows, partly.reasons) == (decided.rows, ("split", "part_over_length"))
    assert decide(record(("user", "x"), ("assistant", "word " * 100)), split, template).reasons == ("over_length",)


def test_a_long_document_is_split_anywhere(template):
    whole = template.document("一个长文档。" * 40)
    decided = decide(record(("document", "一个长文档。" * 40)), config(max_length=50, over_length="split"), template)
    assert [token for row in decided.rows for token in row.ids] == whole.ids
    lengths = [len(row.ids) for row in decided.rows]
    assert max(lengths) <= 50
    assert max(lengths) - min(lengths) <= 1


def test_nobody_answers_and_nothing_is_there(template):
    assert decide(record(("user", "hi")), config(), template) == Decided([], ("no_assistant_turn",))
    template.tokenizer.bos_token, begin = None, template.tokenizer.bos_token
    try:
        assert decide(record(("document", "")), config(), template) == Decided([], ("empty",))
    finally:
        template.tokenizer.bos_token = begin


def test_a_row_that_the_template_refuses_is_dropped(tiny_model, tmp_path):
    tokenizer = load_tokenizer(tiny_model)
    refuse = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    tokenizer.chat_template = refuse + str(tokenizer.chat_template)
    template = ChatTemplate(tokenizer)
    asked = (("user", "hi"), ("assistant", "yes"))
    assert decide(record(("system", "be kind"), *asked), config(), template) == Decided([], ("template_refuses",))
    assert decide(record(*asked), config(), template).reasons == ()


def test_train_on_inputs(template):
    chat = record(("user", "hi"), ("assistant", "yes"))
    (answer,) = decide(chat, config(), template).rows
    (whole,) = decide(chat, config(train_on_inputs=True), template).rows
    assert whole.ids == answer.ids
    assert sum(whole.mask) > sum(answer.mask)


def test_weights_repeat_and_thin_out_by_id():
    ids = [f"{n:032x}" for n in range(2000)]
    assert {times(i, 2.0, 1) for i in ids} == {2}
    half = [times(i, 0.5, 1) for i in ids]
    assert set(half) == {0, 1}
    assert 900 < sum(half) < 1100
    assert half == [times(i, 0.5, 1) for i in ids] != [times(i, 0.5, 2) for i in ids]


def test_every_record_has_a_decision(template, tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", chats(40))
    rows = read_rows(config(max_length=60), [DataSource(path=data, weight=0.5)], template)
    assert [len(rows.decisions), rows.counts["in"]] == [40, 40]
    assert len(rows.rows) == sum(decision.kept for decision in rows.decisions) == rows.counts["kept"]
    assert {reason for decision in rows.decisions for reason in decision.reasons} == {"over_length", "weight"}
    assert rows.counts == count(list(rows.decisions))
    assert rows.per_source["d"]["sft"]["rows"] == len(rows.rows)


def test_a_record_split_in_several_rows_is_one_kept_record(template, tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", [{"text": "word " * 300}, {"text": "short"}])
    rows = read_rows(config(max_length=50, over_length="split"), [DataSource(path=data, weight=2)], template)
    assert rows.counts == {"in": 2, "kept": 2, "dropped": 0, "quarantined": 0, "by_reason": {}}
    ids = [decision.id for decision in rows.decisions]
    assert len(rows.ids) == len(rows.rows) > 4
    assert Counter(rows.ids)[ids[1]] == 2
    assert Counter(rows.ids)[ids[0]] == len(rows.rows) - 2
    for row, record_id in zip(rows.rows, rows.ids, strict=True):
        text = template.tokenizer.decode(row.ids, skip_special_tokens=True)
        assert ("short" in text) == (record_id == ids[1])


def test_sources_of_every_kind_counted_apart(template, tmp_path, caplog):
    chat, folder = write_jsonl(tmp_path / "chat.jsonl", chats(5)), tmp_path / "books"
    folder.mkdir()
    write_jsonl(folder / "a.jsonl", [{"text": "一个文档"}])
    pq.write_table(pa.table({"story": ["once upon a time", "there was"]}), folder / "b.parquet")
    alpaca = write_jsonl(tmp_path / "alpaca.jsonl", [{"instruction": "Add", "input": "2 3", "output": "5"}])
    sources = [
        DataSource(path=chat),
        DataSource(path=folder / "a.jsonl"),
        DataSource(path=folder / "b.parquet", text_field="story", weight=3),
        DataSource(path=alpaca),
    ]
    rows = read_rows(config(), sources, template)
    found = {(source, kind): n["rows"] for source, kinds in rows.per_source.items() for kind, n in kinds.items()}
    assert found == {("chat", "sft"): 5, ("a", "document"): 1, ("b", "document"): 6, ("alpaca", "sft"): 1}
    totals = rows.totals()
    assert totals["sft"]["rows"] + totals["document"]["rows"] == len(rows.rows) == 13
    assert totals["sft"]["tokens"] + totals["document"]["tokens"] == rows.rows.tokens
    assert totals["document"]["tokens"] == totals["document"]["trained"] + 7  # the first token has no loss
    by_source = Counter(rows.sources[number] for number in rows.rows.source)
    assert by_source == {"chat": 5, "a": 1, "b": 6, "alpaca": 1}
    with caplog.at_level(logging.INFO):
        rows.log(logging.getLogger("test"))
    assert "b, document: 6 rows" in caplog.text
    assert "all sft: 6 rows" in caplog.text


def test_a_run_tokenises_once_and_again_for_another_tokenizer(template, tmp_path, monkeypatch):
    data = write_jsonl(tmp_path / "d.jsonl", chats(20))
    settings = config(output=str(tmp_path / "run"), max_length=60)
    run = Run(settings, "sft", quiet=True)
    run.open()
    sources = [DataSource(path=data)]
    first = read_rows(settings, sources, template, run=run)
    with monkeypatch.context() as patched:
        patched.setattr(postraining_sft.data, "decide", lambda *_: pytest.fail("tokenised again"))
        again = read_rows(settings, sources, template, run=run)
    assert again.folder == first.folder
    assert (again.counts, again.per_source) == (first.counts, first.per_source)
    changed = ChatTemplate(copy.deepcopy(template.tokenizer))
    changed.tokenizer.add_tokens(["number"])
    folders = {first.folder, read_rows(settings, sources, changed, run=run).folder}
    for more in ({"max_length": 61}, {"over_length": "keep"}, {"seed": 7}, {"train_on_inputs": True}):
        folders.add(read_rows(settings.model_copy(update=more), sources, template, run=run).folder)
    folders.add(read_rows(settings, [DataSource(path=data, weight=2)], template, run=run).folder)
    write_jsonl(data, chats(21))
    folders.add(read_rows(settings, sources, template, run=run).folder)
    assert len(folders) == 8
    assert first.publish(run) == first.counts
    ledger = pq.read_table(tmp_path / "run" / "ledger" / "decisions.parquet").to_pylist()
    assert [row["id"] for row in ledger] == [decision.id for decision in first.decisions]
    assert Counter(row["into"] for row in ledger) == {"run": first.counts["kept"], None: first.counts["dropped"]}
    run.close("done")


def test_two_processes_make_what_one_makes(template, tmp_path, monkeypatch):
    document = {"messages": [{"role": "document", "content": "word " * 300}]}
    data = write_jsonl(tmp_path / "d.jsonl", [*chats(40), document])
    monkeypatch.setattr(postraining_sft.tokenising, "BATCH", 4)
    settings = config(max_length=60, over_length="split")
    alone = read_rows(settings, [DataSource(path=data)], template)
    monkeypatch.setattr(postraining_sft.data, "workers_for", lambda _: 2)
    both = read_rows(settings, [DataSource(path=data)], template)
    for name in ("ids", "mask", "offsets", "record", "source", "document"):
        assert (both.folder / f"{name}.npy").read_bytes() == (alone.folder / f"{name}.npy").read_bytes()
    assert list(both.decisions) == list(alone.decisions)
    assert multiprocessing.active_children() == []


def test_a_signal_ends_the_reading_and_leaves_nothing_half(template, tmp_path, monkeypatch):
    data = write_jsonl(tmp_path / "d.jsonl", chats(40))
    monkeypatch.setattr(postraining_sft.tokenising, "BATCH", 4)
    settings = config(output=str(tmp_path / "run"))
    run = Run(settings, "sft", quiet=True)
    run.open()
    seen = []

    def ask(*arguments, **more):
        seen.append(1)
        if len(seen) == 9:
            run.stop.requested = True
        return decide(*arguments, **more)

    monkeypatch.setattr(postraining_sft.data, "decide", ask)
    with pytest.raises(InterruptedRunError):
        read_rows(settings, [DataSource(path=data)], template, run=run)
    assert len(seen) == 12
    assert list((tmp_path / "run" / "run" / "shards").iterdir()) == []
    run.close("interrupted")


def test_temporary_shards_go_with_the_rows(template, tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", chats(5))
    rows = read_rows(config(), [DataSource(path=data)], template)
    folder = rows.folder
    assert folder.exists()
    del rows
    gc.collect()
    assert not folder.exists()


def test_a_path_alone_is_a_source():
    assert config(data=["a", {"path": "b", "weight": 2}]).data[0].weight == 1.0


@pytest.mark.parametrize("rule", ["drop", "split", "keep"])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_at_the_very_limit(template, rule, more):
    """A row of as many tokens as fit is whole by every rule; one token more, and the rule decides."""
    turns = (("system", "s"), ("user", "a"), ("assistant", "bb"), ("user", "c"), ("assistant", "dd"))
    for chat in (record(*turns), record(("document", "一个文档 of words")), record(*turns, ("user", "and?"))):
        whole = decide(chat, config(), template).rows[0]
        limit = len(whole.ids) + more
        decided = decide(chat, config(max_length=limit, over_length=rule), template)
        assert all(len(row.ids) <= limit and len(row.ids) == len(row.mask) for row in decided.rows)
        if more >= 0:
            assert decided == Decided([whole])
        elif rule == "drop":
            assert decided == Decided([], ("over_length",))
        elif rule == "keep":
            assert decided == Decided([whole.cut(limit)], ("cut",))
        else:
            assert decided.reasons == ("split",)
            assert len(decided.rows) == 2
            if len(chat.messages) > 1:  # the system message stands in both, nothing else is said twice
                halves = [chat.messages[:3], (*chat.messages[:1], *chat.messages[3:5])]
                assert decided.rows == [template.conversation(half) for half in halves]


def test_an_empty_answer_or_document_is_dropped(template):
    """Only the end token would be learned."""
    for turns in ([("user", "hi"), ("assistant", "")], [("user", "hi"), ("assistant", " \n")], [("document", " ")]):
        assert decide(record(*turns), config(), template) == Decided([], ("empty",))
    assert decide(record(("user", "a"), ("assistant", ""), ("user", "b"), ("assistant", "x")), config(), template).rows


def test_a_source_without_rows_is_an_error(template, tmp_path):
    good, empty = write_jsonl(tmp_path / "good.jsonl", chats(3)), write_jsonl(tmp_path / "empty.jsonl", [])
    with pytest.raises(UserError, match=r"empty\.jsonl: no rows in it"):
        read_rows(config(), [DataSource(path=good), DataSource(path=empty)], template)


def test_files_of_one_name_are_counted_apart(template, tmp_path, caplog):
    sources = []
    for folder, number in (("a", 2), ("b", 3)):
        (tmp_path / folder).mkdir()
        sources.append(DataSource(path=write_jsonl(tmp_path / folder / "train.jsonl", chats(number))))
    sources.append(DataSource(path=write_jsonl(tmp_path / "blank.jsonl", [{"text": " "}])))
    rows = read_rows(config(), sources, template)
    assert rows.sources == ["train (data[0])", "train (data[1])", "blank"]
    assert [kinds.get("sft", {}).get("rows") for kinds in rows.per_source.values()] == [2, 3, None]
    assert Counter(rows.rows.source.tolist()) == {0: 2, 1: 3}
    rows.log(logging.getLogger("test"))
    assert "blank: no row of it is left" in caplog.text


def test_what_the_weight_leaves_out_is_not_tokenised(template, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(postraining_sft.data, "decide", lambda *_: asked.append(1) or Decided([], ("empty",)))
    data = write_jsonl(tmp_path / "d.jsonl", chats(100))
    rows = read_rows(config(), [DataSource(path=data, weight=0.3)], template)
    assert len(asked) == 100 - rows.counts["by_reason"]["weight"]
    assert 15 < len(asked) < 45


def test_a_weight_takes_that_share(template, tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", chats(60))
    for weight in (0.3, 1.5, 2.0):
        rows = read_rows(config(), [DataSource(path=data, weight=weight)], template)
        often = Counter(rows.ids)
        assert set(often.values()) <= {int(weight) or 1, math.ceil(weight)}
        assert abs(len(rows.rows) - 60 * weight) <= 3 * math.sqrt(60 * 0.25)


def test_a_full_disk_without_a_run_is_one_clear_error(template, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(postraining_sft.data.ShardWriter, "finish", full)
    with pytest.raises(RetryLaterError, match="no space left"):
        read_rows(config(), [DataSource(path=write_jsonl(tmp_path / "d.jsonl", chats(3)))], template)
