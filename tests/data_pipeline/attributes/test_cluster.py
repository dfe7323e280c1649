"""Clusters separate what is apart, do not depend on the rows' order, and are named by what sets them apart."""

from __future__ import annotations

import random

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from data_pipeline.attributes.kinds.cluster import Cluster, cluster_names, default_k, kmeans, terms_in, with_tags
from data_pipeline.attributes.kinds.embedding import Embedding
from utils.errors import UserError

TOPICS = {
    "zh": ["请写一首关于春天的诗歌，第{n}首", "春天的诗歌第{n}首怎么写"],
    "en": ["bake sourdough bread in oven number {n}", "oven number {n} for sourdough bread"],
}


def rows() -> pl.DataFrame:
    texts = [text.format(n=n) for topic in TOPICS.values() for text in topic for n in range(8)] + ["  "]
    messages = [[{"role": "user", "content": text}] for text in texts]
    return pl.DataFrame({"id": [f"{n:02d}" for n in range(len(texts))], "messages": messages})


def clustered(frame: pl.DataFrame, **keys: int) -> pa.Table:
    return Cluster(**keys).measure(frame, {"embedding": Embedding().measure(frame, {}, 1)}, 1)


def test_default_k_is_the_root_of_half_the_rows() -> None:
    assert [default_k(n) for n in (0, 1, 2, 50, 13_000)] == [1, 1, 1, 5, 81]


def test_two_topics_are_two_clusters_with_telling_names() -> None:
    found = pl.DataFrame(pl.from_arrow(clustered(rows(), k=2)))
    zh, en = found[:16], found[16:32]
    assert zh["cluster"].n_unique() == en["cluster"].n_unique() == 1
    assert zh["cluster"][0] != en["cluster"][0]
    assert "春天" in zh["cluster_name"][0] or "诗歌" in zh["cluster_name"][0]
    assert {"sourdough", "bread", "oven", "number"} >= set(en["cluster_name"][0].split("·"))
    assert found["similarity"][:32].min() > 0.5


def test_a_row_without_embedding_is_in_no_cluster() -> None:
    last = clustered(rows(), k=2).to_pylist()[-1]
    assert last == {"id": "32", "cluster": None, "cluster_name": None, "similarity": None}


def test_a_cluster_over_what_is_no_embedding_is_refused() -> None:
    with pytest.raises(UserError, match="no vectors: id where 'embedding' is expected"):
        Cluster().measure(rows(), {"embedding": pa.table({"id": ["a"]})}, 1)


def test_twice_is_the_same_and_so_is_any_order_of_rows() -> None:
    frame = rows()
    once, again = clustered(frame, k=4), clustered(frame, k=4)
    assert once.equals(again)
    order = list(range(frame.height))
    random.Random(3).shuffle(order)
    shuffled = clustered(frame[order], k=4)
    assert shuffled.sort_by("id").equals(once)


def test_cluster_0_is_the_largest_and_similarity_is_the_cosine_to_the_centre() -> None:
    vectors = np.array([[0, 1], [1, 0], [1, 0], [1, 0]], dtype=np.float32)
    labels, similarity = kmeans(vectors, 2, 1)
    assert labels.tolist() == [1, 0, 0, 0]
    assert similarity == pytest.approx([1, 1, 1, 1], abs=1e-6)


def test_more_clusters_than_rows_and_no_rows_at_all() -> None:
    assert sorted(kmeans(np.eye(3, dtype=np.float32), 9, 1)[0].tolist()) == [0, 1, 2]
    assert kmeans(np.zeros((0, 8), dtype=np.float32), 3, 1)[0].tolist() == []


def test_terms_are_words_and_pairs_of_chinese_characters() -> None:
    assert terms_in("机器学习 is fun, ok? 好") == {"机器", "器学", "学习", "fun"}


def test_names_by_hand() -> None:
    # cluster 0: "apple" in 2 of 2 rows, 2 of all 4: 1·log(1 ÷ 0.5); "fruit" in 3 of all: 1·log(1 ÷ 0.75) is less.
    texts = ["apple fruit", "apple fruit", "stone fruit", "stone"]
    names = cluster_names(texts, [0, 0, 1, 1], terms=2)
    assert names == {0: "apple·fruit", 1: "stone·fruit"}


def test_overlapping_pairs_do_not_fill_a_name() -> None:
    assert cluster_names(["机器学习"], [0], terms=3) == {0: "器学"}
    assert cluster_names(["1 2"], [0], terms=3) == {0: "–"}


def test_function_words_name_nothing_while_there_is_more() -> None:
    texts = ["and then the garden", "and the garden", "what about it", "我们 花园 一个", "我们 一个 天气"]
    assert cluster_names(texts, [0, 0, 1, 2, 3], terms=1) == {0: "garden", 1: "about", 2: "花园", 3: "天气"}


def test_names_begin_with_the_telling_tag() -> None:
    # cluster 0: "code" in 3 of 4 rows, 0.75·log(1+8/3) = 0.97; "listing" in all, but everywhere, 1·log(1+8/8) = 0.69.
    tags = [["code", "listing"]] * 3 + [["listing"]] + [["listing"]] * 3 + [["listing", "maths"]]
    named = with_tags({0: "a·b", 1: "c"}, tags, np.array([0] * 4 + [1] * 4))
    assert named == {0: "code/a·b", 1: "listing/c"}
    assert with_tags({0: "a"}, [None, [], [], [], [], ["rare"]], np.zeros(6, dtype=np.int64)) == {0: "a"}


def test_a_cluster_named_by_tags_needs_them() -> None:
    assert Cluster(tags="keyword_tags").needs == ("embedding", "keyword_tags")
    frame = rows()
    given = {
        "embedding": Embedding().measure(frame, {}, 1),
        "kinds": pa.table({"tags": [["poetry"]] * 16 + [["baking"]] * 16 + [[]]}),
    }
    found = Cluster(k=2, tags="kinds").measure(frame, given, 1)["cluster_name"].to_pylist()
    assert [name.partition("/")[0] for name in (found[0], found[20])] == ["poetry", "baking"]
    assert found[32] is None
