"""Which node of a taxonomy a row belongs to: by its tags, else by keywords in its prompt, else by a prototype."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from data_pipeline.attributes.kinds.embedding import vectors_of
from data_pipeline.attributes.taxonomy.tree import Taxonomy
from utils.data.records import RECORD_SCHEMA
from utils.errors import UserError
from utils.runs.commit import read_json

_WORD = r"[\p{Latin}\p{N}+#]+"
_CHINESE = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")


Prototypes = tuple[np.ndarray, list[str]]
"""Vectors of length 1, float32 [prototypes, dimensions], and the node of each."""


def told(texts: pl.Series, tags: pl.Series | None, taxonomy: Taxonomy) -> pl.DataFrame:
    """Return `node, how` of each row by its tags and by keywords; null where neither says anything.

    Args:
        texts: the prompts.
        tags: a list of tags per row, or None where the taxonomy has no `column`.
        taxonomy: the tree.

    """
    by_word = keyword_nodes(texts, taxonomy)
    by_tag = pl.Series("tag", [None] * len(texts), dtype=pl.String) if tags is None else tag_nodes(tags, taxonomy)
    tagged, worded = pl.col("tag").is_not_null(), pl.col("node").is_not_null()
    how = pl.when(tagged).then(pl.lit("tag")).when(worded).then(pl.lit("keyword"))
    return pl.DataFrame([by_word, by_tag]).select(node=pl.coalesce("tag", "node"), how=how)


def tags_of(values: pl.Series, column: str) -> pl.Series:
    """Return a column of tags, or of one label, as a list per row; empty for null.

    Raises:
        UserError: it holds something other than texts.

    """
    if values.dtype in (pl.String, pl.Null):
        return values.cast(pl.String).to_frame("tag").select(pl.concat_list("tag").list.drop_nulls())["tag"]
    if isinstance(values.dtype, pl.List) and values.dtype.inner in (pl.String, pl.Null):
        return values.cast(pl.List(pl.String)).fill_null(pl.Series([[]], dtype=pl.List(pl.String)))
    raise UserError(f"{column} is {values.dtype}, no tag and no list of tags", where="taxonomy.column")


def tag_nodes(tags: pl.Series, taxonomy: Taxonomy) -> pl.Series:
    """Return the node of each row's first tag that is a node's; null where none is. Width and case do not count."""
    nodes = {_plain(tag): node.name for node, _ in taxonomy.walk() for tag in (node.name, *node.tags)}
    known = {tag: nodes.get(_plain(tag)) for tag in tags.explode().drop_nulls().unique().to_list()}
    first = (next((known[tag] for tag in row if known.get(tag)), None) for row in tags.to_list())
    return pl.Series("tag", list(first), dtype=pl.String)


def _plain(tag: str) -> str:
    return unicodedata.normalize("NFKC", tag).casefold().strip()


def nodes_above(nodes: pl.Series, taxonomy: Taxonomy) -> pl.Series:
    """Return each row's node and all above it, the uppermost first; an empty list where there is no node."""
    paths = taxonomy.paths
    return pl.Series("nodes", [paths[node] if node else [] for node in nodes.to_list()], dtype=pl.List(pl.String))


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


def by_prototype(
    frame: pl.DataFrame, vectors: Iterable[pa.Table], prototypes: Prototypes, ids: set[str], floor: float
) -> pl.DataFrame:
    """Return the frame (`id, node, how`, …) with the rows of these ids mapped to their nearest prototype.

    Args:
        frame: the rows.
        vectors: tables of `id, embedding`.
        prototypes: as `prototypes_as` gives them.
        ids: the rows that have no node yet.
        floor: smallest cosine.

    """
    matrix, nodes = prototypes
    near: dict[str, str] = {}
    for table in vectors if nodes and ids else ():
        some = table.filter(pa.array([one in ids for one in table["id"].to_pylist()], pa.bool_()))
        rows, there = vectors_of(some)
        own = [one for one, ok in zip(some["id"].to_pylist(), there.tolist(), strict=True) if ok]
        mapped = nearest_nodes(rows, matrix, nodes, floor)
        near |= {one: node for one, node in zip(own, mapped, strict=True) if node is not None}
    other = pl.DataFrame({"id": list(near), "near": list(near.values())}, schema={"id": pl.String, "near": pl.String})
    joined = frame.join(other, on="id", how="left", maintain_order="left")
    how = pl.when(pl.col("how").is_null() & pl.col("near").is_not_null()).then(pl.lit("prototype")).otherwise("how")
    return joined.with_columns(node=pl.coalesce("node", "near"), how=how).drop("near")


def prototypes_as(taxonomy: Taxonomy, attributes: Path, name: str, run: Path) -> Prototypes:
    """Return the prototypes embedded as an attributes run embedded its rows: same attribute, same seed.

    Args:
        taxonomy: the tree.
        attributes: the attributes run.
        name: of the embedding there.
        run: the run that asks; the limits of an embedding by endpoint lie there.

    """
    from data_pipeline.attributes.config import OneAttribute  # it imports the attribute that imports this

    manifest = read_json(attributes / "attributes" / name / "manifest.json")
    if manifest is None:
        raise UserError(f"no embedding {name!r}", where=str(attributes), mend="measure one first")
    rows, nodes = prototype_rows(taxonomy)
    attribute = OneAttribute(attribute=manifest["parameters"]).attribute.placed(run)
    matrix, valid = vectors_of(attribute.measure(rows, {}, manifest["seed"]))
    return matrix, [node for node, ok in zip(nodes, valid.tolist(), strict=True) if ok]


def prototype_rows(taxonomy: Taxonomy) -> tuple[pl.DataFrame, list[str]]:
    """Return the prototypes as rows that an attribute can measure, and the node of each."""
    listed = [(node.name, text) for node, _ in taxonomy.walk() for text in node.prototypes]
    rows: list[dict[str, Any]] = [
        {"id": str(n), "source": "", "lang": "", "messages": [{"role": "user", "content": text}]}
        for n, (_, text) in enumerate(listed)
    ]
    table = pa.Table.from_pylist(rows, RECORD_SCHEMA).select(["id", "source", "lang", "messages"])
    return pl.DataFrame(pl.from_arrow(table)), [name for name, _ in listed]
