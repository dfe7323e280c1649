"""Which records are asked; the order of the file decides nothing (F24, F25)."""

from __future__ import annotations

from data_pipeline.candidates.seeds import choose_seeds
from data_pipeline.prompts import prompt_of
from utils.data.records import Message, Record


def record(name: str, *turns: tuple[str, str]) -> Record:
    return Record(name, "test", "en", tuple(Message(*turn) for turn in turns))


def test_the_last_answer_is_the_reference() -> None:
    prompt = prompt_of(record("a", ("user", "1"), ("assistant", "2"), ("user", "3"), ("assistant", "4")))
    assert prompt is not None
    assert [m.content for m in prompt.messages] == ["1", "2", "3"]
    assert prompt.reference == "4"


def test_a_document_is_a_question_and_a_blank_answer_is_none() -> None:
    document = prompt_of(record("a", ("document", "Who?")))
    assert document is not None
    assert document.messages == (Message("user", "Who?"),)
    assert document.reference is None
    blank = prompt_of(record("b", ("user", "Who?"), ("assistant", " ")))
    assert blank is not None
    assert blank.reference is None


def test_nobody_asks() -> None:
    assert prompt_of(record("a", ("system", "Be kind."))) is None
    assert prompt_of(record("a", ("user", " "), ("assistant", "2"))) is None


def test_every_record_has_a_decision_and_order_does_not_matter() -> None:
    records = [record(str(i), ("user", f"q{i}")) for i in range(6)]
    records += [record("3", ("user", "q3")), record("x", ("assistant", "only an answer"))]
    seeds = choose_seeds(records, limit=4, into="run")
    again = choose_seeds(records[::-1], limit=4, into="run")
    assert [p.id for p in seeds.prompts] == [p.id for p in again.prompts]
    counts = seeds.counts()
    assert (counts["in"], counts["kept"], counts["dropped"]) == (8, 4, 4)
    assert counts["by_reason"].keys() <= {"no_question", "duplicate_id", "over_limit"}
    assert counts["by_reason"]["no_question"] == 1
