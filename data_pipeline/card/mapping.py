"""Which node of a taxonomy a row belongs to: by keywords in its prompt, else by the nearest prototype."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from data_pipeline.card.config import Taxonomy
from utils.data.records import RECORD_SCHEMA

_WORD = r"[\p{Latin}\p{N}+#]+"
_CHINESE = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")


def folded(text: pl.Expr) -> pl.Expr:
    """Return the expression that folds width and case and sets every word apart by one blank, for `keyword_nodes`."""
    plain = text.str.normalize("NFKC").str.to_lowercase()
    apart = plain.str.replace_all(r"[^\p{L}\p{M}\p{N}+#]+", " ").str.replace_all(_WORD, " $0 ")
    return pl.lit(" ") + apart.str.replace_all(r"\s+", " ") + pl.lit(" ")


def keyword_nodes(texts: pl.Series, taxonomy: Taxonomy) -> pl.Series:
    """Return the node of each text, null where no keyword of any node is in it.

    The node with the most different keywords in the text wins; of equals the one with more letters of them, then the
    one that stands first in the tree.
    """
    nodes_of, patterns = _patterns(taxonomy)
    if not patterns:
        return pl.Series("node", [None] * len(texts), dtype=pl.String)
    found = texts.to_frame("text").select(
        hits=pl.col("text").pipe(folded).str.extract_many(patterns, overlapping=True).list.unique()
    )["hits"]
    return pl.Series("node", [_best(hits, nodes_of) for hits in found.to_list()], dtype=pl.String)


def _patterns(taxonomy: Taxonomy) -> tuple[dict[str, list[tuple[int, str]]], list[str]]:
    """Return the nodes of each keyword as it is looked for, with their places in the tree, and the keywords."""
    nodes_of: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for place, (node, _) in enumerate(taxonomy.walk()):
        words = pl.DataFrame({"word": list(node.keywords)}, schema={"word": pl.String})
        for word in words.select(word=pl.col("word").pipe(folded))["word"].unique().to_list():
            bare = " ".join(word.split())
            if bare:
                pattern = bare if _CHINESE.search(bare) else f" {bare} "
                nodes_of[pattern].append((place, node.name))
    return nodes_of, list(nodes_of)


def _best(hits: list[str], nodes_of: dict[str, list[tuple[int, str]]]) -> str | None:
    words: Counter[tuple[int, str]] = Counter()
    letters: Counter[tuple[int, str]] = Counter()
    for hit in hits:
        for node in nodes_of[hit]:
            words[node] += 1
            letters[node] += len(hit.strip())
    return min(words, key=lambda node: (-words[node], -letters[node], node[0]))[1] if words else None


def nearest_nodes(vectors: np.ndarray, prototypes: np.ndarray, nodes: list[str], floor: float) -> list[str | None]:
    """Return the node of the nearest prototype, None where its cosine is below the floor.

    Args:
        vectors: float32 [rows, dimensions] of length 1.
        prototypes: float32 [prototypes, dimensions] of length 1.
        nodes: of each prototype.
        floor: smallest cosine.

    """
    found: list[str | None] = []
    for start in range(0, len(vectors), 8192):
        cosines = vectors[start : start + 8192] @ prototypes.T
        best = cosines.argmax(axis=1)
        near = cosines[np.arange(len(best)), best] >= floor
        found += [nodes[at] if ok else None for at, ok in zip(best.tolist(), near.tolist(), strict=True)]
    return found


def prototype_rows(taxonomy: Taxonomy) -> tuple[pl.DataFrame, list[str]]:
    """Return the prototypes as rows that an attribute can measure, and the node of each."""
    listed = [(node.name, text) for node, _ in taxonomy.walk() for text in node.prototypes]
    rows: list[dict[str, Any]] = [
        {"id": str(n), "source": "", "lang": "", "messages": [{"role": "user", "content": text}]}
        for n, (_, text) in enumerate(listed)
    ]
    table = pa.Table.from_pylist(rows, RECORD_SCHEMA).select(["id", "source", "lang", "messages"])
    return pl.DataFrame(pl.from_arrow(table)), [name for name, _ in listed]
