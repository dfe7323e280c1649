"""Cleaning: rows per second of the rules, of the blacklist, of two workers and of the whole command.

    python -m benchmarks.cleaning kernel --corpus CORPUS_FOLDER [--peer 'NAME=COMMAND {corpus} {rows}' …]
    python -m benchmarks.cleaning blacklist --corpus CORPUS_FOLDER --phrases FILE [--peer …]
    python -m benchmarks.cleaning workers --corpus CORPUS_FOLDER [--rows 200000]
    python -m benchmarks.cleaning command --corpus CORPUS_FOLDER [--sizes 10000 100000 1000000]

`kernel`: a column of texts in memory → cleaned texts and decisions under the policy `benchmark`, one thread,
compilation left out; with `--phrases FILE` under `benchmark-full` with that blacklist and in-text repetition. Peers
are commands of yours in environments of their own, in turn with ours; steps named in `--without` do not count for
them. Corpora: benchmarks/corpus.py. `--write` puts the tables into docs/BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import benchmarks.measure as measure
from benchmarks.dedup import read_texts

_BATCH = 8192


class Cleaner:
    """A policy over texts in memory, batch by batch as a run does it."""

    def __init__(self, policy: str, phrases: Path | None = None) -> None:
        from cleaning.apply import Program
        from cleaning.policy import find_policy, load_policy, rule_from
        from cleaning.rules.base import parameters

        rules = [parameters(rule) for rule in load_policy(find_policy(policy)).rules]
        for rule in rules:
            if rule["rule"] == "blacklist" and phrases:
                rule |= {"lists": [str(phrases)], "digest": None}
        self.rules = [rule_from(rule) for rule in rules]
        self._program = Program(self.rules)

    def clean(self, texts: Sequence[str]) -> tuple[int, int]:
        """Return how many edits were made and how many rows dropped."""
        import numpy as np

        from cleaning.texts import Texts

        edits, dropped = 0, 0
        for start in range(0, len(texts), _BATCH):
            own = list(texts[start : start + _BATCH])
            rows, size = np.arange(len(own), dtype=np.uint32), len(own)
            batch = Texts([None] * size, rows, [0] * size, ["document"] * size, own, self._program.scanner.scan(own))
            outcome = self._program.run(batch)
            drops = [drop for _, _, drop in outcome.values]
            edits += len(outcome.edits.text)
            dropped += int(np.logical_or.reduce(drops).sum()) if drops else 0
        return edits, dropped


def kernel(given: argparse.Namespace) -> str:
    """Measure the rules in memory, peers in turn."""
    texts = read_texts(given.corpus / "corpus.jsonl", given.rows)
    cleaner = Cleaner("benchmark-full" if given.phrases else "benchmark", given.phrases)
    cleaner.clean(texts[:2000])
    rates: dict[str, list[float]] = {}
    result: tuple[int, int] = (0, 0)
    with tempfile.TemporaryDirectory() as scratch:
        small = Path(scratch) / "corpus.jsonl"
        measure.copy_lines(given.corpus / "corpus.jsonl", small, given.peer_rows)
        for _ in range(given.rounds):
            timed = measure.cpu_time(lambda: cleaner.clean(texts), rounds=1)
            rates.setdefault("ours", []).append(len(texts) / timed.seconds)
            result = timed.result
            for peer in given.peer:
                rate = measure.run_peer(peer, small, given.peer_rows, Path(scratch), given.without)
                rates.setdefault(peer.name, []).append(rate)
    own = statistics.median(rates["ours"])
    lines = [[n, f"{statistics.median(r):,.0f}", f"{own / statistics.median(r):.1f}"] for n, r in rates.items()]
    size = sum(len(text.encode()) for text in texts) / len(texts)
    says = f"{len(texts):,} rows of {size:.0f} bytes; {len(cleaner.rules)} rules made {result[0]:,} edits, dropped "
    return f"{says}{result[1]:,} rows.\n\n{measure.table(['tool', 'rows/s, one core', 'ours is faster by'], lines)}"


def blacklist(given: argparse.Namespace) -> str:
    """Measure the blacklist alone, in megabytes per second."""
    from cleaning.policy import rule_from

    texts = read_texts(given.corpus / "corpus.jsonl", given.rows)
    size = sum(len(text.encode()) for text in texts) / 1e6
    cleaner = Cleaner("benchmark")
    cleaner.rules = [rule_from({"rule": "blacklist", "lists": [str(given.phrases)]})]
    cleaner.__dict__["_program"] = _program(cleaner.rules)
    cleaner.clean(texts[:2000])
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(given.rounds):
            rates.setdefault("ours", []).append(size / measure.cpu_time(lambda: cleaner.clean(texts), 1).seconds)
            for peer in given.peer:
                rate = measure.run_peer(peer, given.corpus / "corpus.jsonl", given.peer_rows, Path(scratch))
                rates.setdefault(peer.name, []).append(rate)
    own = statistics.median(rates["ours"])
    lines = [[n, f"{statistics.median(r):,.1f}", f"{own / statistics.median(r):.1f}"] for n, r in rates.items()]
    return measure.table(["tool", "MB/s, one core", "ours is faster by"], lines)


def _program(rules: Sequence[Any]) -> Any:
    from cleaning.apply import Program

    return Program(rules)


def workers(given: argparse.Namespace) -> str:
    """Measure one process against two, each with its share of the rows, in turn; start-up and reading left out."""
    context, times = multiprocessing.get_context("spawn"), {1: [], 2: []}  # type: ignore[var-annotated]
    for _ in range(given.rounds):
        for number in (1, 2):
            times[number].append(_parallel(context, given, number))
    one, two = (statistics.median(times[number]) for number in (1, 2))
    ratios = [a / b for a, b in zip(times[1], times[2], strict=True)]
    head = ["workers", "seconds (median)", "rows/s"]
    lines = [[1, f"{one:.2f}", f"{given.rows / one:,.0f}"], [2, f"{two:.2f}", f"{given.rows / two:,.0f}"]]
    shown = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    says = f"{given.rows:,} rows, {given.rounds} alternating pairs; two are faster by {statistics.median(ratios):.2f}"
    return f"{says} (pairs: {shown}).\n\n{measure.table(head, lines)}"


def _parallel(context: Any, given: argparse.Namespace, number: int) -> float:
    """Return the wall seconds from the common start to the last worker's end."""
    barrier, done = context.Barrier(number + 1), context.Queue()
    share = given.rows // number
    jobs = [(str(given.corpus / "corpus.jsonl"), at * share, share, barrier, done) for at in range(number)]
    started = [context.Process(target=_worker, args=job) for job in jobs]
    for process in started:
        process.start()
    barrier.wait()
    start = time.perf_counter()
    for _ in started:
        done.get()
    seconds = time.perf_counter() - start
    for process in started:
        process.join()
    return seconds


def _worker(corpus: str, first: int, rows: int, barrier: Any, done: Any) -> None:
    texts = read_texts(Path(corpus), first + rows)[first:]
    cleaner = Cleaner("benchmark")
    cleaner.clean(texts[:2000])
    barrier.wait()
    cleaner.clean(texts)
    done.put(len(texts))


def command(given: argparse.Namespace) -> str:
    """Measure the whole command at several sizes."""
    lines = []
    for size in given.sizes:
        with tempfile.TemporaryDirectory(dir=given.corpus) as scratch:
            source, output = Path(scratch) / "rows.jsonl", Path(scratch) / "run"
            measure.copy_lines(given.corpus / "corpus.jsonl", source, size)
            sets = [f"input={source}", f"output={output}", "executor=local", f"workers={given.workers}"]
            ran = measure.run(
                [sys.executable, "-m", "posttrain", "clean", "--quiet", "--config", "configs/cleaning/benchmark.yaml"]
                + [word for one in sets for word in ("--set", one)]
            )
            counts = json.loads((output / "manifest.json").read_text())["counts"]
        rss = [f"{peak / 2**20:,.0f}" for peak in (ran.driver_rss, ran.worker_rss)]
        lines.append([f"{size:,}", f"{ran.seconds:.1f}", f"{size / ran.seconds:,.0f}", *rss, f"{counts['kept']:,}"])
    head = ["rows", "seconds", "rows/s", "driver MiB", "largest worker MiB", "kept"]
    return f"{given.workers} worker(s), local executor, start included.\n\n{measure.table(head, lines)}"


def main() -> None:
    """Read the command line."""
    jobs = {"kernel": kernel, "blacklist": blacklist, "workers": workers, "command": command}
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("what", choices=list(jobs))
    parser.add_argument("--corpus", type=Path, required=True, help="a folder made by benchmarks/corpus.py")
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--peer-rows", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer", type=measure.peer, action="append", default=[])
    parser.add_argument("--without", nargs="*", default=[], help="steps of peers that do not count")
    parser.add_argument("--phrases", type=Path, help="a blacklist")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="into docs/BENCHMARKS.md")
    given = parser.parse_args()
    text = jobs[given.what](given)
    print(text)
    if given.write:
        name = f"cleaning {given.what}" + (" full" if given.what == "kernel" and given.phrases else "")
        measure.write_section(name, text)


if __name__ == "__main__":
    main()
