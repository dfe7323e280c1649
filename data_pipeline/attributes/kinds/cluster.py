"""Clusters of an embedding by MiniBatchKMeans, each named by the terms, and the tag, that set it apart."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field

from data_pipeline.attributes.base import AttributeKeys, as_table, text_of
from data_pipeline.attributes.kinds.embedding import normalised, vectors_of

_SAMPLE = 200  # rows of a cluster, and
_BEGINNING = 400  # characters of a row that its name is taken from
_FUNCTION_WORDS = """
一个 一些 一种 一下 这个 这些 这种 那个 那些 什么 怎么 如何 以下 可以 能够 需要 应该 必须 我们 你们 他们 她们 它们
自己 因为 所以 因此 但是 而且 并且 以及 或者 如果 虽然 还是 就是 不是 也是 都是 是一 有一 了一 的一 为了 通过 进行
使用 此外 其中 同时 非常 很多 更多 没有 已经 到了 的是 中的 和其 其他 于是 给定 请你 如下 是什 定的 就像 用于
"""

_TAG_SHARE = 0.2  # of a cluster's rows have the tag that it is named by
_TERM = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]{2,}|[^\W\d_\u3400-\u4dbf\u4e00-\u9fff]{3,}")


class Cluster(AttributeKeys):
    """`cluster` (0 is the largest), `cluster_name`, and `similarity`: cosine to the cluster's centre.

    All null for a row whose embedding is null. The result depends on the set of rows, not on their order.
    """

    version: ClassVar[int] = 1
    scope: ClassVar[Literal["rows", "all"]] = "all"

    kind: Literal["cluster"] = "cluster"
    embedding: str = "embedding"
    """Name of the embedding to cluster."""
    k: int | None = Field(default=None, ge=1)
    """Number of clusters; by default √(rows ÷ 2)."""
    terms: int = Field(default=3, ge=1)
    """Terms in a cluster's name."""
    tags: str | None = None
    """Name of an attribute with a column `tags`: the most telling one begins the cluster's name, `code/python·list`."""

    @property
    def key(self) -> str:
        """The attribute's name."""
        return self.name or self.kind

    @property
    def needs(self) -> tuple[str, ...]:
        """The embedding, and the tags where they are named."""
        return (self.embedding, self.tags) if self.tags else (self.embedding,)

    def measure(self, rows: pl.DataFrame, given: Mapping[str, pa.Table], seed: int) -> pa.Table:
        """Return `id, cluster, cluster_name, similarity`, one row per row."""
        vectors, valid = vectors_of(given[self.embedding])
        embedded = rows.filter(pl.Series(valid))
        order = embedded["id"].arg_sort().to_numpy()
        labels, similarity = kmeans(vectors[order], self.k or default_k(len(vectors)), seed)
        texts = embedded[order].select(text_of().pipe(normalised).str.head(_BEGINNING))["messages"].to_list()
        names = cluster_names(texts, labels, self.terms)
        if self.tags:
            tags = pl.Series(given[self.tags]["tags"].to_pylist(), dtype=pl.List(pl.String))
            names = with_tags(names, tags.filter(pl.Series(valid)).gather(order).to_list(), labels)
        found = pl.DataFrame(
            {
                "id": embedded[order]["id"],
                "cluster": pl.Series(labels, dtype=pl.Int32),
                "cluster_name": [names[label] for label in labels],
                "similarity": pl.Series(similarity, dtype=pl.Float32),
            },
            schema_overrides={"id": pl.String, "cluster_name": pl.String},
        )
        return as_table(rows.select("id").join(found, on="id", how="left", maintain_order="left"))


def default_k(rows: int) -> int:
    """Return √(rows ÷ 2), rounded, at least 1."""
    return max(1, round(math.sqrt(rows / 2)))


def kmeans(vectors: np.ndarray, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Cluster unit vectors.

    Args:
        vectors: float32 [n, d] of length 1.
        k: clusters; at most n are made.
        seed: of the start centres and batches.

    Returns:
        Labels int64 [n], numbered by falling size, and cosines to the own centre float32 [n].

    """
    if not len(vectors):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
    from sklearn.cluster import MiniBatchKMeans

    model = MiniBatchKMeans(min(k, len(vectors)), random_state=seed, n_init=3, batch_size=2048)
    labels = model.fit_predict(vectors)
    sizes = np.bincount(labels, minlength=model.n_clusters)
    rank = np.empty_like(sizes)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    centres = model.cluster_centers_ / np.maximum(np.linalg.norm(model.cluster_centers_, axis=1, keepdims=True), 1e-12)
    return rank[labels], np.clip(np.einsum("nd,nd->n", vectors, centres[labels]), -1, 1)


def cluster_names(texts: Sequence[str], labels: Sequence[int] | np.ndarray, terms: int) -> dict[int, str]:
    """Return a name per label: the terms that set it apart from all rows of their script, joined by `·`.

    The weight of a term is p·log(p ÷ q), p the share of the cluster's rows that hold it and q that of all rows with
    Chinese characters, or with words, as the term is: its part of the Kullback–Leibler divergence. Terms are words of
    three letters or more, and pairs of Chinese characters; function words (scikit-learn's English list, a short
    Chinese one) name a cluster only where there is nothing else.
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    empty = ENGLISH_STOP_WORDS.union(_FUNCTION_WORDS.split())
    rows: Counter[int] = Counter()
    holding: dict[int, Counter[str]] = {}
    anywhere: Counter[str] = Counter()
    of_script: Counter[bool] = Counter()
    for text, label in zip(texts, map(int, labels), strict=True):
        if rows[label] < _SAMPLE:
            rows[label] += 1
            found = terms_in(text)
            holding.setdefault(label, Counter()).update(found)
            anywhere.update(found)
            of_script.update({_chinese(term) for term in found})
    names = {}
    for label, held in holding.items():
        weight = {
            term: n / rows[label] * math.log(n / rows[label] * of_script[_chinese(term)] / anywhere[term])
            for term, n in held.items()
        }
        best = sorted(weight, key=lambda term: (term in empty, -weight[term], -held[term], term))
        names[label] = "·".join(_apart(best, terms)) or "–"
    return names


def _chinese(term: str) -> bool:
    return "\u3400" <= term[0] <= "\u9fff"


def with_tags(names: Mapping[int, str], tags: Sequence[Sequence[str] | None], labels: np.ndarray) -> dict[int, str]:
    """Return `tag/terms` for each cluster: the weightiest tag, as for terms, that a fifth of its rows have."""
    rows: Counter[int] = Counter(map(int, labels))
    holding: dict[int, Counter[str]] = {}
    for some, label in zip(tags, map(int, labels), strict=True):
        holding.setdefault(label, Counter()).update(set(some or ()))
    anywhere = sum(holding.values(), Counter())
    named = {}
    for label, name in names.items():
        held = {tag: n for tag, n in holding[label].items() if n / rows[label] >= _TAG_SHARE}
        weight = {tag: n / rows[label] * math.log1p(len(labels) / anywhere[tag]) for tag, n in held.items()}
        first = sorted(weight, key=lambda tag: (-weight[tag], tag))[:1]
        named[label] = "/".join([*first, name])
    return named


def terms_in(text: str) -> set[str]:
    """Return the words of a text and the pairs of neighbouring Chinese characters."""
    found: set[str] = set()
    for run in _TERM.findall(text):
        found.update(map("".join, pairwise(run)) if _chinese(run) else [run])
    return found


def _apart(terms: Sequence[str], count: int) -> list[str]:
    """Return the first `count` terms, leaving out pairs that overlap a chosen one (机器, 器学, 学习)."""
    chosen: list[str] = []
    for term in terms:
        if len(chosen) == count:
            break
        if len(term) > 2 or not set(term) & {letter for other in chosen for letter in other}:
            chosen.append(term)
    return chosen
