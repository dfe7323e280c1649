"""Rows that ask what an evaluation asks are found, whatever the file looks like; rows that only sound like it stay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from data_pipeline.tier.choices import Decontaminate
from data_pipeline.tier.evaluation import Evaluation, prompts_of, references
from utils.errors import UserError

ZH = "请解释一下什么是光合作用，并说明它对地球上的生命有什么重要的意义。"
EN = "Explain how a noise-cancelling headphone works and when you would not want to use one."
SHORT_ZH = "如何提高睡眠质量？"
SHORT_EN = "How can I sleep better?"
SUMS = "If a train travels 120 miles in 2 hours, what is its average speed in miles per hour?"

PLANTED = {
    ZH + "　": "exact",
    "请解释一下什么是光合作用并说明它对地球上的生命有什么重要的意义": "exact",
    "ｅxplain how a noise cancelling headphone works, and when you would not want to use one": "exact",
    SHORT_ZH: "exact",
    "\u200b".join(ZH): "exact",
    "如何提高睡\u00ad眠質量": "exact",
    "請解釋一下什麼是光合作用，並說明它對地球上的生命有什麼重要的意義。": "exact",
    "You are an expert who answers in plain words for many readers. How can I sleep better? Thanks!": "contained",
    "你是一位资深的专家，善于用通俗易懂的语言讲清楚复杂的道理。如何提高睡眠质量？请分点回答。": "contained",
    "Dear assistant, for my blog: explain how a noise-cancelling headphone works and when it does not.": "ngram",
    "小明的作业是：说明它对地球上的生命有什么重要的意义，用三句话回答。": "ngram",
    "请解释什么是光合作用，说明它对地球生命有什么重要意义": "wording",
    "请解释什么是光合作用以及它对地球生命的意义": "wording",
    "Explain how noise cancelling headphones work and when you'd not want to use them": "wording",
    "如何提高我的睡眠质量": "wording",
    "If a train goes 130 miles in 3 hours what's the average speed, in miles per hour?": "wording",
}
APART = [
    "请解释一下什么是区块链技术。",
    "光合作用的发现者是谁？",
    "怎样学好英语？",
    "Explain how to bake bread without an oven.",
    "How can I cook better rice?",
    "What is the capital of France?",
    "Write a headline for a newspaper about headphones.",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One evaluation in three files of different shapes."""
    files: dict[str, list[dict[str, Any]]] = {
        "turns": [{"question_id": 1, "turns": [EN, "And in one sentence?"]}],
        "questions": [{"question": ZH, "std_answer": "光合作用是……"}, {"question": SHORT_ZH, "std_answer": "早睡"}],
        "upper": [{"idx": 1, "Instruction": SUMS}, {"idx": 2, "Instruction": SHORT_EN}],
    }
    for name, rows in files.items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (tmp_path / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    return tmp_path


def rows(prompts: list[str]) -> pl.DataFrame:
    messages = [[{"role": "user", "content": text}, {"role": "assistant", "content": SUMS}] for text in prompts]
    return pl.DataFrame({"id": [str(n) for n in range(len(prompts))], "messages": messages})


def test_planted_copies_are_found_and_others_are_not(folder: Path) -> None:
    found = Evaluation(Decontaminate(files=[folder])).matches(rows([*PLANTED, *APART]))
    asked = {str(number): prompt for number, prompt in enumerate([*PLANTED, *APART])}
    assert {asked[row["id"]]: row["method"] for row in found.to_dicts()} == PLANTED
    first = found.row(0, named=True)
    assert (first["reference_file"], first["reference_row"], first["reference_text"]) == ("questions.jsonl", 0, ZH)
    assert first["similarity"] == 1.0
    assert first["prompt"] == ZH + "　"
    assert found["similarity"].is_between(0, 1.0001).all()


def test_one_text_or_many_at_once_is_the_same(folder: Path) -> None:
    evaluation = Evaluation(Decontaminate(files=[folder]))
    together = evaluation.matches(rows([*PLANTED, *APART])).drop("id")
    alone = pl.concat([evaluation.matches(rows([one])) for one in [*PLANTED, *APART]]).drop("id")
    assert alone.drop("similarity").equals(together.drop("similarity"))


def test_thirteen_words_are_more_than_eight(folder: Path) -> None:
    prompt = [next(text for text, method in PLANTED.items() if text.startswith("Dear"))]
    strict = Decontaminate(files=[folder], ngram=13, similarity=1, similarity_unspaced=1)
    assert Evaluation(strict).matches(rows(prompt)).is_empty()
    assert Evaluation(strict.model_copy(update={"ngram": 8})).matches(rows(prompt))["method"].to_list() == ["ngram"]


def test_a_later_question_counts_and_an_answer_does_not(folder: Path) -> None:
    def turns(*texts: str) -> list[dict[str, str]]:
        return [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]

    hello, good = "Good morning to all of you!", "Good."
    talks = [turns(hello, good, ZH, "是……"), turns(hello, ZH, "Thanks.", ZH), turns(SHORT_EN, good, ZH, good)]
    found = Evaluation(Decontaminate(files=[folder])).matches(pl.DataFrame({"id": ["a", "b", "c"], "messages": talks}))
    assert [(row["id"], row["method"], row["prompt"]) for row in found.to_dicts()] == [
        ("a", "exact", ZH),
        ("c", "exact", SHORT_EN),
    ]


def test_what_only_a_model_can_see_is_found_by_one(tmp_path: Path) -> None:
    """A model of a few words, in which those of one meaning have one vector, is asked for a translation."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    meanings = [["feed", "喂"], ["dog", "狗"], ["bread", "包"]]
    words = ["[UNK]", *(word for same in meanings for word in same)]
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()  # sets Chinese characters apart
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    weights = np.zeros((len(words), len(meanings)), np.float32)
    for at, same in enumerate(meanings):
        weights[[words.index(word) for word in same], at] = 1
    embedding = StaticEmbedding(tokenizer, embedding_weights=weights)
    SentenceTransformer(modules=[embedding], device="cpu").save(str(tmp_path / "model"))
    (tmp_path / "e.jsonl").write_text('{"question": "How to feed a dog?"}\n', encoding="utf-8")
    asked = rows(["怎么喂狗？", "怎么做面包？"])
    files = Decontaminate(files=[tmp_path / "e.jsonl"])
    assert Evaluation(files).matches(asked).is_empty()
    (found,) = Evaluation(files.model_copy(update={"model": tmp_path / "model"})).matches(asked).to_dicts()
    assert (found["method"], found["prompt"]) == ("embedding", "怎么喂狗？")
    assert found["similarity"] == pytest.approx(1)


def test_no_prompts_no_rows(folder: Path) -> None:
    assert Evaluation(Decontaminate(files=[folder])).matches(rows(["Hello?"])[:0]).is_empty()


@pytest.mark.parametrize(
    ("row", "prompts"),
    [
        ({"id": "x", "prompt": "p"}, ["p"]),
        ({"question_id": 1, "text": "p", "category": "c"}, ["p"]),
        ({"idx": 1, "Instruction": "p"}, ["p"]),
        ({"turns": ["p", "q"]}, ["p", "q"]),
        ({"conversations": "p"}, ["p"]),
        ({"conversations": [{"from": "human", "value": "p"}, {"from": "gpt", "value": "a"}]}, ["p"]),
        ({"instruction": "i", "instances": [{"input": "x", "output": "y"}], "is_classification": False}, ["i\nx"]),
        ({"id": 1, "instruction": "i", "motivation_app": "m", "instances": [{"input": "", "output": "y"}]}, ["i"]),
        ({"instruction": "i", "input": "x", "output": "y"}, ["i\nx"]),
        ({"task": "p"}, []),
    ],
)
def test_the_prompts_of_many_shapes(row: dict[str, Any], prompts: list[str]) -> None:
    assert prompts_of(row) == prompts


def test_a_row_without_a_prompt_is_refused_with_its_keys(tmp_path: Path) -> None:
    (tmp_path / "odd.jsonl").write_text('{"task": "p"}\n', encoding="utf-8")
    with pytest.raises(UserError, match=r"no prompt in the row; its keys: task.*decontaminate\.text_field"):
        references(Decontaminate(files=[tmp_path]))
    assert references(Decontaminate(files=[tmp_path], text_field="task"))["text"].to_list() == ["p"]
    (tmp_path / "odd.jsonl").write_text('{"task": " "}\n', encoding="utf-8")
    with pytest.raises(UserError, match="no prompt in there"):
        references(Decontaminate(files=[tmp_path], text_field="task"))
