"""Near-duplicates: rows per second, recall, precision, memory and disk, beside other tools.

    python -m benchmarks.dedup kernel --corpus CORPUS_FOLDER [--rows 20000] [--peer 'NAME=COMMAND {corpus} {rows}' …]
    python -m benchmarks.dedup command --corpus CORPUS_FOLDER [--sizes 10000 100000 1000000]

`kernel`: texts in memory → verified clusters, one thread, compilation left out; datasketch runs beside it in this
process, other tools by commands of yours in environments of their own, in turn with ours. `command`: the whole
`posttrain clean` with configs/cleaning/dedup-only.yaml. Corpora: benchmarks/corpus.py. `--write` puts the tables
into docs/BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import benchmarks.measure as measure


def read_texts(corpus: Path, rows: int | None = None) -> list[str]:
    """Return the texts of a corpus."""
    with corpus.open(encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in itertools.islice(lines, rows)]


def shingles(text: str, size: int = 5) -> set[str]:
    """Return the character n-grams of a text."""
    return {text[at : at + size] for at in range(len(text) - size + 1)}


def similarity(one: set[str], other: set[str]) -> float:
    """Return the Jaccard similarity of two sets."""
    return len(one & other) / max(1, len(one | other))


def quality(texts: Sequence[str], pairs: Sequence[Sequence[float]], labels: Sequence[int]) -> dict[str, float]:
    """Return recall of the corpus' pairs at 0.7 and 0.8, and the share of joined rows that some other row explains.

    Precision: of all rows that were taken for duplicates, those whose exact Jaccard with some other row of their
    cluster is 0.7 or more. All by plain Python sets.
    """
    known: dict[int, list[float]] = {7: [], 8: []}
    for one, other, _ in pairs:
        if one < len(texts) and other < len(texts):
            exact = similarity(shingles(texts[int(one)]), shingles(texts[int(other)]))
            joined = float(labels[int(one)] == labels[int(other)])
            for tenth in known:
                if exact >= tenth / 10:
                    known[tenth].append(joined)
    clusters: dict[int, list[int]] = {}
    for row, label in enumerate(labels):
        clusters.setdefault(int(label), []).append(row)
    right = total = 0
    for members in clusters.values():
        sets = {row: shingles(texts[row]) for row in members} if len(members) > 1 else {}
        for row in members[1:]:
            total += 1
            same = (other for other in members if other != row)
            right += any(texts[other] == texts[row] or similarity(sets[row], sets[other]) >= 0.7 for other in same)
    found = {f"recall at {tenth / 10}": statistics.mean(hits) for tenth, hits in known.items() if hits}
    return {**found, "precision": right / max(1, total)}


def datasketch_rate(texts: Sequence[str]) -> float:
    """Return datasketch's rows per second: 128 permutations, its own index at 0.7, candidates not verified."""
    from datasketch import MinHash, MinHashLSH

    def job() -> int:
        index, found = MinHashLSH(threshold=0.7, num_perm=128), 0
        for number, text in enumerate(texts):
            signature = MinHash(num_perm=128)
            signature.update_batch([gram.encode() for gram in shingles(text)])
            found += len(index.query(signature))
            index.insert(number, signature)
        return found

    return len(texts) / measure.cpu_time(job, rounds=1).seconds


def kernel(given: argparse.Namespace) -> str:
    """Measure texts → clusters in memory, peers in turn."""
    from cleaning.duplicates.config import Near
    from cleaning.duplicates.in_memory import near_duplicates

    corpus = given.corpus / "corpus.jsonl"
    texts, pairs = read_texts(corpus, given.rows), json.loads((given.corpus / "pairs.json").read_text())
    lines: list[list[Any]] = []
    rates: dict[str, list[float]] = {}
    own = {unit: Near(unit=unit) for unit in ("character", "script")}
    for settings in own.values():
        near_duplicates(texts[:1000], settings)
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(given.rounds):
            for unit, settings in own.items():
                timed = measure.cpu_time(lambda settings=settings: near_duplicates(texts, settings), rounds=1)
                rates.setdefault(f"ours, {unit}", []).append(len(texts) / timed.seconds)
            rates.setdefault("datasketch", []).append(datasketch_rate(texts[: given.peer_rows]))
            for peer in given.peer:
                rates.setdefault(peer.name, []).append(measure.run_peer(peer, corpus, given.peer_rows, Path(scratch)))
    first = statistics.median(rates["ours, character"])
    found = near_duplicates(texts, own["character"])
    for name, rate in rates.items():
        median = statistics.median(rate)
        lines.append([name, f"{median:,.0f}", f"{first / median:.1f}"])
    marks = quality(texts, pairs, found.labels.tolist())
    noted = ", ".join(f"{name} {value:.4f}" for name, value in marks.items())
    head = ["tool", "rows/s, one core", "ours (character) is faster by"]
    return f"{len(texts):,} rows (peers {given.peer_rows:,}). Ours, character: {noted}.\n\n{measure.table(head, lines)}"


def command(given: argparse.Namespace) -> str:
    """Measure the whole command at several sizes."""
    lines = []
    for size in given.sizes:
        with tempfile.TemporaryDirectory(dir=given.corpus) as scratch:
            source, output = Path(scratch) / "rows.jsonl", Path(scratch) / "run"
            measure.copy_lines(given.corpus / "corpus.jsonl", source, size)
            sets = [f"input={source}", f"output={output}", "executor=local", f"workers={given.workers}"]
            ran = measure.run(
                [sys.executable, "-m", "posttrain", "clean", "--quiet", "--config", "configs/cleaning/dedup-only.yaml"]
                + [word for one in sets for word in ("--set", one)]
            )
            counts = json.loads((output / "manifest.json").read_text())["counts"]
            rss = [f"{peak / 2**20:,.0f}" for peak in (ran.driver_rss, ran.worker_rss)]
            work = output / "run" / "work"
            pass_1 = sum(measure.bytes_below(work / folder) for folder in ("first-pass", "duplicates"))
            disk = [f"{found / size:,.0f}" for found in (pass_1, measure.bytes_below(work))]
        lines.append([f"{size:,}", f"{ran.seconds:.1f}", f"{size / ran.seconds:,.0f}", *rss, *disk])
        lines[-1].append(f"{counts['by_reason']}")
    memory = ["driver MiB", "largest worker MiB"]
    head = ["rows", "seconds", "rows/s", *memory, "bytes a row of pass 1 and duplicates", "of all work", "dropped"]
    return f"{given.workers} worker(s), local executor, start included.\n\n{measure.table(head, lines)}"


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("what", choices=["kernel", "command"])
    parser.add_argument("--corpus", type=Path, required=True, help="a folder made by benchmarks/corpus.py")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--peer-rows", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", type=measure.peer, action="append", default=[])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="into docs/BENCHMARKS.md")
    given = parser.parse_args()
    text = {"kernel": kernel, "command": command}[given.what](given)
    print(text)
    if given.write:
        measure.write_section(f"dedup {given.what}", text)


if __name__ == "__main__":
    main()
