"""Hand-made pairs in both languages are called what they are; the search loses none and depends on nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from cleaning.duplicates.config import Near
from cleaning.duplicates.in_memory import near_duplicates
from data_pipeline.attributes.kinds.cluster import kmeans
from data_pipeline.attributes.kinds.embedding import embed, vector_column
from data_pipeline.attributes.kinds.semantic_duplicates import SemanticDuplicates
from data_pipeline.attributes.semantic import search as searching
from data_pipeline.attributes.semantic.numbers import numbers_in
from data_pipeline.attributes.semantic.relations import (
    COPY,
    PARAPHRASE,
    TEMPLATE,
    Relations,
    Traits,
    traits_of,
)
from data_pipeline.attributes.semantic.search import near_clusters, search
from utils.data.language import language_of
from utils.errors import UserError

# 102 pairs: {"relation", "one": [prompt, answer], "other": [prompt, answer]}; near by whatever embedding.
PAIRS_FILE = Path(__file__).parent / "semantic_pairs.jsonl"

# One concept a line: the words that stand for it. A bilingual embedding of meaning in small, for this test.
CONCEPTS = """
reduce|lower|cut down|减少|降低
carbon|碳
emissions|排放
climate|气候
transport|commute|交通|出行
bus|公交|巴士
bicycle|cycle|自行车|单车
tea|茶
brew|steep|泡|沏
water|水
minutes|分钟
capital|首都
france|法国
paris|巴黎
story|tale|故事
dragon|龙
apples|苹果
buy|purchase|购买|买
left|remain|剩
poem|诗
spring|春天|春日
flowers|blossoms|花
river|河
positive|正面
negative|负面
sentiment|情感
film|movie|电影
boring|tedious|无聊|乏味
"""
CASES: list[tuple[str, tuple[str, str], tuple[str, str]]] = [
    (
        "paraphrase",
        ("怎样减少碳排放?", "公交出行,骑自行车出行。"),
        ("如何才能降低碳的排放量?", "出行坐公交,出行骑单车。"),
    ),
    (
        "paraphrase",
        ("Why is this movie so boring?", "In the movie nothing happens for a long time: that is boring."),
        ("What makes the film tedious?", "Nothing happens in the film for so long, and that is tedious."),
    ),
    (
        "translation",
        ("Write a poem about spring flowers by the river.", "Spring: flowers, and the river."),
        ("写一首诗,写春天河边的花。", "春天:花,河。"),
    ),
    (
        "template",
        ("Anna goes to the old market and wants to buy 3 apples for her sister. How many apples are left of 12?", "9"),
        ("Anna goes to the old market and wants to buy 5 apples for her sister. How many apples are left of 18?", "13"),
    ),
    (
        "template",
        ("泡一壶茶要三十二分钟,小明泡了五壶茶,一共花了多长时间?", "一百六十分钟。"),
        ("泡一壶茶要四十分钟,小明泡了六壶茶,一共花了多长时间?", "二百四十分钟。"),
    ),
    (
        "other_answer",
        ("Tell a tale of a dragon.", "The dragon slept. Nobody woke it, ever, and that is the whole story."),
        ("Tell a tale of a dragon.", "Once a hungry dragon flew over our town; a story told by grandmothers since."),
    ),
    ("other_answer", ("这部电影的情感是?电影很无聊。", "正面"), ("这部电影的情感是?电影很无聊。", "负面")),
    ("copy", ("How to brew tea?", "Steep it in hot water."), ("how to brew tea", "Steep it in  hot water")),
    ("copy", ("法国的首都是哪里?", "巴黎。"), ("法国的首都是哪里？", "巴黎")),
]


def rows_of(cases: list[tuple[str, str]]) -> pl.DataFrame:
    messages = [[{"role": "user", "content": q}, {"role": "assistant", "content": a}] for q, a in cases]
    languages = [language_of(q + a) for q, a in cases]
    return pl.DataFrame({"id": [f"{n:02d}" for n in range(len(cases))], "lang": languages, "messages": messages})


PAIRS = rows_of([row for _, one, other in CASES for row in (one, other)])


def by_meaning(rows: pl.DataFrame) -> np.ndarray:
    """Return a vector per row: the concepts that its words stand for, each in a direction of its own."""
    concepts = [line.split("|") for line in CONCEPTS.strip().splitlines()]
    texts = ["\n".join(m["content"].lower() for m in row) for row in rows["messages"].to_list()]
    vectors = np.array([[any(word in text for word in words) for words in concepts] for text in texts], np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def by_wording(rows: pl.DataFrame) -> np.ndarray:
    texts = ["\n".join(m["content"].lower() for m in row) for row in rows["messages"].to_list()]
    return embed(texts, dimensions=512, ngrams=(1, 2, 3), seed=1)


def measured(rows: pl.DataFrame, vectors: np.ndarray, labels: list[int] | None = None, **keys: object) -> pl.DataFrame:
    given = {
        "embedding": pa.table({"id": rows["id"].to_list(), "embedding": vector_column(vectors)}),
        "cluster": pa.table({"cluster": pa.array(labels or [0] * rows.height, pa.int32())}),
    }
    found = SemanticDuplicates(**keys).measure(rows, given, 1)
    return pl.DataFrame(pl.from_arrow(found))


@pytest.mark.parametrize(("number", "expected"), list(enumerate(name for name, _, _ in CASES)))
def test_each_pair_is_called_what_it_is(number: int, expected: str) -> None:
    """By an embedding of meaning; the earlier row of a pair stands near to none."""
    found = measured(PAIRS, by_meaning(PAIRS), epsilon=0.2).rows(named=True)
    first, second = found[2 * number], found[2 * number + 1]
    assert first["relation"] is None
    assert (second["relation"], second["neighbour"]) == (expected, first["id"])
    assert second["duplicate_of"] == (first["id"] if expected in {"copy", "paraphrase"} else None)


def test_near_rows_are_told_apart_by_their_texts() -> None:
    """Numbers in words, units, dates, signs, names, negations, opposites, labels; whichever row comes first."""
    pairs = [json.loads(line) for line in PAIRS_FILE.read_text(encoding="utf-8").splitlines()]
    near = np.repeat(np.eye(len(pairs), dtype=np.float32), 2, axis=0)
    for order in ("one", "other"), ("other", "one"):
        rows = rows_of([tuple(pair[side]) for pair in pairs for side in order])
        found = measured(rows, near)["relation"].to_list()
        assert found[::2] == [None] * len(pairs)
        wrong = [(pair, name) for pair, name in zip(pairs, found[1::2], strict=True) if name != pair["relation"]]
        assert wrong == []


def test_a_template_is_seen_however_far_the_answers_are() -> None:
    rows = rows_of([("9 × 12 等于几?", "甲乙丙"), ("9 × 十三 等于几?", "完全不同"), ("9×12等于几", "一百零八")])
    vectors = np.eye(3, dtype=np.float32)
    found = measured(rows, vectors)
    assert found["relation"].to_list() == [None, "template", "other_answer"]
    assert found["duplicate_of"].null_count() == 3
    removed = measured(rows, vectors, duplicates=("template", "other_answer"))
    assert removed["duplicate_of"].to_list() == [None, "00", "00"]


def test_a_duplicate_of_a_row_that_goes_is_one_of_the_row_that_stays() -> None:
    rows = rows_of(
        [("说一件事", "甲乙丙"), ("说一件事", "完全不同的回答,很长很长"), ("请说一件事", "完全不同的回答,很长很长")]
    )
    vectors = np.array([[1, 0], [0, 1], [0, 1]], dtype=np.float32)
    found = measured(rows, vectors, duplicates=("paraphrase", "other_answer"))
    assert found["duplicate_of"].to_list() == [None, "00", "00"]
    assert found["cosine"].to_list() == [None, 0.0, 0.0]


def test_rows_without_prompt_do_not_ask_the_same() -> None:
    turns = [[{"role": "assistant", "content": text}] for text in ("one thing", "another thing")]
    rows = pl.DataFrame({"id": ["a", "b"], "lang": ["en", "en"], "messages": turns})
    assert measured(rows, np.eye(2, dtype=np.float32))["relation"].to_list() == [None, None]


def test_blanks_between_numbers_are_no_copy() -> None:
    rows = rows_of([("What follows 1 12 3?", "It is 4."), ("What follows 11 2 3?", "It is 4.")])
    assert measured(rows, np.ones((2, 1), dtype=np.float32))["relation"].to_list() == [None, "template"]


def test_the_offline_embedding_finds_wording_only() -> None:
    """Templates, same prompts and copies need no meaning; free paraphrases and translations do."""
    found = measured(PAIRS, by_wording(PAIRS), epsilon=0.3)["relation"].to_list()[1::2]
    expected = [name if name in {"template", "other_answer", "copy"} else None for name, _, _ in CASES]
    assert found == expected


def test_beside_minhash() -> None:
    """Both take copies for duplicates; MinHash takes numbers in a template for one too, and no paraphrase."""
    texts = ["\n".join(m["content"] for m in row) for row in PAIRS["messages"].to_list()]
    labels = near_duplicates(texts, Near(threshold=0.7, unit="character")).labels
    joined = {CASES[n // 2][0] for n in range(1, len(texts), 2) if labels[n] == labels[n - 1]}
    never = {CASES[n // 2][0] for n in range(1, len(texts), 2) if labels[n] != labels[n - 1]}
    assert "template" in joined
    assert {"paraphrase", "translation"} <= never - joined
    ours = measured(PAIRS, by_meaning(PAIRS), epsilon=0.2)
    assert set(ours.filter(pl.col("duplicate_of").is_not_null())["relation"]) == {"copy", "paraphrase"}


def test_more_relations_can_be_duplicates() -> None:
    found = measured(PAIRS, by_meaning(PAIRS), epsilon=0.2, duplicates=("translation", "paraphrase"))
    removed = found.filter(pl.col("duplicate_of").is_not_null())["relation"].to_list()
    assert sorted(removed) == ["copy", "copy", "paraphrase", "paraphrase", "translation"]


def test_the_same_prompt_is_seen_however_far_the_answers_are() -> None:
    rows = rows_of([("说一件事", "甲乙丙"), ("说一件事", "完全不同的另一个回答")])
    found = measured(rows, np.eye(2, dtype=np.float32)).rows(named=True)
    assert (found[1]["relation"], found[1]["neighbour"], found[1]["cosine"]) == ("other_answer", "00", 0.0)


def test_the_longest_stays_or_the_one_with_more() -> None:
    rows = rows_of([("How to brew tea", "Hot water."), ("Tell how to brew tea", "Hot water, always hot water.")])
    vectors = np.array([[1, 0], [1, 0]], dtype=np.float32)
    assert measured(rows, vectors)["duplicate_of"].to_list() == [None, "00"]
    assert measured(rows, vectors, keep="longest")["duplicate_of"].to_list() == ["01", None]
    with pytest.raises(UserError, match=r"keep: no 'cluster\.size'"):
        measured(rows, vectors, keep="cluster.size")
    assert measured(rows, vectors, keep="cluster.cluster", labels=[0, 1])["duplicate_of"].to_list() == ["01", None]


def test_a_border_between_clusters_hides_nothing_when_neighbours_are_looked_at() -> None:
    rows = rows_of([("brew tea", "with hot water"), ("how to brew tea", "with hot water"), ("poem", "river")])
    vectors = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    assert measured(rows, vectors, labels=[0, 1, 2], neighbours=0)["duplicate_of"].to_list() == [None, None, None]
    assert measured(rows, vectors, labels=[0, 1, 2], neighbours=1)["duplicate_of"].to_list() == [None, "00", None]


def test_a_row_without_embedding_and_no_rows_at_all() -> None:
    rows = rows_of([("a b c", "d"), ("a b c", "d"), ("x", "y")])
    vectors = np.array([[1, 0], [0, 0], [0, 1]], dtype=np.float32)
    given = {
        "embedding": pa.table({"embedding": vector_column(vectors)}),
        "cluster": pa.table({"cluster": pa.array([0, None, 0], pa.int32())}),
    }
    found = SemanticDuplicates().measure(rows, given, 1)
    assert found["relation"].to_pylist() == [None, None, None]
    assert measured(rows[:0], np.zeros((0, 2), np.float32)).height == 0


@pytest.mark.parametrize(
    ("text", "value"),
    [("32", "32"), ("1,000", "1000"), ("三十二", "32"), ("三百零五", "305"), ("二〇二四", "2024"), ("第三", "3"),
     ("五个", "5"), ("twenty-one", "21"), ("a hundred", "100"), ("two hundred and five", "205"),
     ("3 million", "3000000"),
     ("1000万", "10000000"), ("三点五", "3.5"), ("百分之五", "5%"), ("5%", "5%"), ("三分之二", "2/3"),
     ("two thirds", "2/3"),
     ("03", "3"), ("2.50", "2.5"), ("星期三", "3"), ("ten thousand", "10000"),
     ("十万", "100000"), ("两千", "2000"), ("five", "5"), ("一亿二千万", "120000000")],
)  # fmt: skip
def test_numbers_by_their_value(text: str, value: str) -> None:
    assert numbers_in(text) == [value]


def test_numerals_that_count_nothing() -> None:
    assert numbers_in("万一十分重要的事,千万不要一一列举") == []
    assert numbers_in("the one and only") == []


def test_the_same_number_written_otherwise_is_no_template() -> None:
    relations = Relations(
        traits_of(rows_of([("买三十二本书", "好"), ("请买32本书", "好"), ("买33本书", "好")])), frozenset()
    )
    assert relations.quick(np.array([1, 2]), np.array([0, 0])).tolist() == [PARAPHRASE, TEMPLATE]


def brute(vectors: np.ndarray, least: float) -> np.ndarray:
    """Return which rows go when every row is compared with every kept one."""
    removed = np.zeros(len(vectors), dtype=bool)
    for row in range(len(vectors)):
        removed[row] = bool((vectors[:row][~removed[:row]] @ vectors[row] >= least).any())
    return removed


def planted(n: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(n // 3, 32))
    vectors = (centres[random.integers(0, len(centres), n)] + random.normal(size=(n, 32)) * 0.12).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def distinct(n: int) -> Relations:
    """Rows that are paraphrases of each other whenever they are near."""
    alone = np.arange(1, n + 1, dtype=np.uint64)
    nothing = np.zeros(n, dtype=np.uint64)
    return Relations(
        Traits(alone, alone, nothing, nothing, nothing, np.zeros(n, np.int8), ["x"] * n, ["same"] * n),
        frozenset({COPY, PARAPHRASE}),
    )


def test_all_clusters_looked_at_is_the_whole_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal to comparing all rows, in one batch or in many; every duplicate is near to a row that stays."""
    vectors = planted(900, 5)
    labels, _ = kmeans(vectors, 8, 1)
    looked = near_clusters(vectors, labels, 7)
    expected = brute(vectors, 0.95)
    assert 100 < expected.sum() < 800
    near = search(vectors, labels, looked, 0.95, distinct(900))
    assert near.removed.tolist() == expected.tolist()
    gone = np.flatnonzero(near.removed)
    assert not near.removed[near.other[gone]].any()
    assert (near.cosine[gone] >= 0.95).all()
    monkeypatch.setattr(searching, "_BATCH", 64)
    monkeypatch.setattr(searching, "_CELLS", 500)
    again = search(vectors, labels, looked, 0.95, distinct(900))
    assert again.removed.tolist() == near.removed.tolist()
    assert again.other.tolist() == near.other.tolist()


def test_three_neighbours_find_nearly_all() -> None:
    vectors = planted(3000, 6)
    labels, _ = kmeans(vectors, 30, 1)
    expected = brute(vectors, 0.95)
    found = [search(vectors, labels, near_clusters(vectors, labels, m), 0.95, distinct(3000)) for m in (0, 3)]
    inside, beside = (int((near.removed & expected).sum()) / int(expected.sum()) for near in found)
    assert beside >= inside
    assert beside > 0.99
