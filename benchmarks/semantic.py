"""Clusters and semantic duplicates: rows per second, memory, recall beside comparing all rows, and what clusters mean.

    python -m benchmarks.semantic vectors [--sizes 10000 100000 1000000] [--peer …] [--write]
    python -m benchmarks.semantic texts --corpus ROWS [--peer 'NAME=COMMAND {corpus} {rows}' …] [--write]
    python -m benchmarks.semantic meaning --labels LABELS.jsonl [--write]

`vectors`: synthetic unit vectors, half of them in small groups of near rows; k-means and the search apart. `texts`:
rows of an input by the offline embedding, semantic duplicates of their texts. Peers get the same vectors by commands
of yours, in environments of their own (benchmarks/peers/semhash_vectors.py), and print `N rows/s`. `meaning`: clusters
against the labels of rows, as normalised mutual information with a bootstrap interval, beside labels that were
shuffled. `--write`: into docs/BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

import benchmarks.measure as measure
from data_pipeline.attributes.base import text_of
from data_pipeline.attributes.kinds.cluster import Cluster, default_k, kmeans
from data_pipeline.attributes.kinds.embedding import Embedding, vectors_of
from data_pipeline.attributes.kinds.semantic_duplicates import SemanticDuplicates
from data_pipeline.attributes.semantic.relations import COPY, PARAPHRASE, Relations, Traits
from data_pipeline.attributes.semantic.search import near_clusters, search
from utils.data.formats import detect
from utils.data.records import records_to_table
from utils.data.rows import record_from_row
from utils.data.streaming import iter_records

DIMENSIONS = 256
LEAST = 0.95


def synthetic(rows: int, seed: int = 1) -> np.ndarray:
    """Return unit vectors [rows, DIMENSIONS] around rows ÷ 100 topics; every second row is near to some other."""
    random = np.random.default_rng(seed)
    topics = random.standard_normal((max(1, rows // 100), DIMENSIONS), dtype=np.float32)
    vectors = topics[random.integers(0, len(topics), rows)]
    vectors += 0.7 * random.standard_normal(vectors.shape, dtype=np.float32)
    vectors[1::2] = vectors[random.integers(0, rows // 2, rows // 2) * 2]
    vectors[1::2] += 0.2 * random.standard_normal((rows // 2, DIMENSIONS), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def paraphrases(rows: int) -> Relations:
    """Return what rows are that are paraphrases of each other whenever they are near."""
    own = np.arange(1, rows + 1, dtype=np.uint64)
    nothing = np.zeros(rows, dtype=np.uint64)
    texts = [""] * rows
    traits = Traits(own, own, nothing, nothing, nothing, np.zeros(rows, np.int8), texts, texts)
    return Relations(traits, frozenset({COPY, PARAPHRASE}))


def timed(job: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return wall seconds, processor seconds of all threads, and the result."""
    start, cpu = time.perf_counter(), time.process_time()
    result = job()
    return time.perf_counter() - start, time.process_time() - cpu, result


def removed_by_all(vectors: np.ndarray, sample: np.ndarray, removed: np.ndarray) -> np.ndarray:
    """Return which of some rows are near to an earlier row that stays, by comparing with all of them."""
    kept = np.flatnonzero(~removed)
    found = np.zeros(len(sample), dtype=bool)
    for start in range(0, len(kept), 1 << 14):
        part = kept[start : start + (1 << 14)]
        cosines = vectors[sample] @ vectors[part].T
        found |= ((cosines >= LEAST) & (part[None, :] < sample[:, None])).any(axis=1)
    return found


def peer_rates(peers: list[measure.Peer], texts: list[str], vectors: np.ndarray) -> list[str]:
    """Return the rows per second of each peer over texts and their vectors."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "texts.jsonl"
        source.write_bytes(b"".join(orjson.dumps({"text": text}) + b"\n" for text in texts))
        np.save(source.with_suffix(".npy"), vectors)
        return [f"{measure.run_peer(peer, source, len(texts), measure.ROOT):,.0f}" for peer in peers]


def vectors_table(sizes: list[int], peers: list[measure.Peer], peer_rows: int) -> str:
    """Measure k-means and the search over synthetic vectors; recall on 500 rows against all earlier rows."""
    kmeans(synthetic(500), 5, 1)  # the import of scikit-learn is not measured
    lines, beside = [], []
    for rows in sizes:
        vectors = synthetic(rows)
        k = default_k(rows)
        clustering = timed(lambda vectors=vectors, k=k: kmeans(vectors, k, 1))
        labels = clustering[2][0]
        line = [f"{rows:,}", k, f"{clustering[1]:.1f}"]
        for count in (0, 3):
            looked = near_clusters(vectors, labels, count)
            _, cpu, near = timed(lambda v=vectors, x=labels, o=looked: search(v, x, o, LEAST, paraphrases(len(v))))
            sample = np.random.default_rng(2).integers(0, rows, 500)
            missed = removed_by_all(vectors, sample, near.removed) & ~near.removed[sample]
            hits = near.removed[sample].sum()
            line += [f"{cpu:.1f}", f"{int(near.removed.sum()):,}", f"{hits / max(1, hits + missed.sum()):.3f}"]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        lines.append([*line, f"{peak:.2f}"])
        if peers and rows <= peer_rows:
            ours = f"{rows / (clustering[1] + cpu):,.0f}"
            beside.append([f"{rows:,}", ours, *peer_rates(peers, [f"row {row}" for row in range(rows)], vectors)])
    head = ["rows", "k", "k-means, CPU s", "own cluster, CPU s", "removed", "recall"]
    text = measure.table([*head, "+ 3 neighbours, CPU s", "removed", "recall", "peak GiB"], lines)
    if beside:
        columns = [
            "rows",
            "ours, k-means and search, rows/s of CPU",
            *(f"{peer.name}, rows/s of CPU" for peer in peers),
        ]
        text += "\n\n" + measure.table(columns, beside)
    return text


def texts_table(corpus: Path, peers: list[measure.Peer]) -> str:
    """Measure embedding, clusters and semantic duplicates of the rows of an input; peers in turn."""
    records = list({record.id: record for record in iter_records(corpus)}.values())
    rows = pl.DataFrame(pl.from_arrow(records_to_table(records)))
    lines = []
    given: dict[str, Any] = {}
    for attribute in (Embedding(), Cluster(), SemanticDuplicates()):
        _, cpu, table = timed(lambda a=attribute: a.measure(rows, given, 1))
        given[attribute.key] = table
        lines.append([attribute.key, f"{cpu:.1f}", f"{rows.height / cpu:,.0f}"])
    duplicates = given["semantic_duplicates"]
    if peers:
        vectors, valid = vectors_of(given["embedding"])
        texts = rows.filter(pl.Series(valid)).select(text_of())["messages"].to_list()
        rates = peer_rates(peers, texts, vectors)
        lines += [[f"{peer.name}, of the same vectors", "", rate] for peer, rate in zip(peers, rates, strict=True)]
    counts = pl.Series(duplicates["relation"].to_pylist(), dtype=pl.String).drop_nulls().value_counts(sort=True).rows()
    return measure.table(["step", "CPU s", "rows/s"], lines) + f"\n\n{rows.height:,} rows; relations: {dict(counts)}."


def meaning_table(labels: Path, draws: int = 300) -> str:
    """Return NMI of clusters with given labels, its bootstrap interval over rows, and that of shuffled labels."""
    from sklearn.metrics import normalized_mutual_info_score as nmi

    lines = [orjson.loads(line) for line in labels.read_bytes().splitlines()]
    fmt = detect(lines[0], where=str(labels))
    records = {(record := record_from_row(line, fmt, "labels")).id: (record, line["label"]) for line in lines}
    rows = pl.DataFrame(pl.from_arrow(records_to_table([record for record, _ in records.values()])))
    truth = np.array([label for _, label in records.values()])
    random = np.random.default_rng(1)
    shuffled = random.permutation(truth)
    table = []
    for text in ("all", "prompt", "answer"):
        vectors, valid = vectors_of(Embedding(text=text).measure(rows, {}, 1))
        for k in (len(set(truth)), default_k(len(rows))):
            found, _ = kmeans(vectors, k, 1)
            values = []
            for _ in range(draws):
                at = random.integers(0, len(found), len(found))
                values.append((nmi(truth[valid][at], found[at]), nmi(shuffled[valid][at], found[at])))
            own, chance = nmi(truth[valid], found), nmi(shuffled[valid], found)
            # Rows drawn twice agree with themselves, which raises NMI: the draws' mean is shifted to the estimate.
            bias = np.mean(values, axis=0) - (own, chance)
            low, high = np.quantile(np.array(values) - bias, [0.025, 0.975], axis=0)
            cells = [f"{own:.3f} ({low[0]:.3f}–{high[0]:.3f})", f"{chance:.3f} ({low[1]:.3f}–{high[1]:.3f})"]
            table.append([text, k, *cells])
    return measure.table(["embedded", "k", "NMI (95 %)", "labels shuffled"], table) + f"\n\n{len(rows):,} rows."


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["vectors", "texts", "meaning"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--peer", type=measure.peer, action="append", default=[])
    parser.add_argument("--peer-rows", type=int, default=1_000_000, help="sizes beyond are measured without peers")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    if given.part == "vectors":
        text = vectors_table(given.sizes, given.peer, given.peer_rows)
    elif given.part == "texts":
        text = texts_table(given.corpus, given.peer)
    else:
        text = meaning_table(given.labels)
    print(text)
    if given.write:
        measure.write_section(f"semantic-{given.part}", text)


if __name__ == "__main__":
    main()
