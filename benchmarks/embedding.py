"""Embeddings and IFD: rows per second of processor time, and sentence-transformers used plainly beside ours.

    python -m benchmarks.embedding [--sizes 10000 …] [--model-sizes 500 …] [--corpus ROWS] [--write]

Rows are those of `--corpus`, or synthetic: half Chinese, half English, 40 to 400 characters. The models are tiny and
made on the spot, so that what is compared is the work around the model. `--write`: into docs/BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

import posttrain_root  # noqa: F401  first: puts our folder before a foreign utils/
from benchmarks.measure import cpu_time, memory_added, table, write_section
from data_pipeline.attributes.kinds.embedding import Embedding
from data_pipeline.attributes.kinds.ifd import Ifd
from data_pipeline.attributes.kinds.sentence_embedding import SentenceEmbedding, open_sentence_transformer
from utils.data.records import to_dicts
from utils.data.streaming import iter_records
from utils.models.locate import work_offline
from utils.models.tiny import make_tiny_model

_WORDS = tuple("abcdefghijklmnopqrstuvwxyz"[n:] + "e" for n in range(0, 24, 2))  # of 3 to 27 letters
_CHARACTERS = "请介绍一下北京的历史和文化如何学习编程语言写出三个健康建议计算面积翻译这句话总结全文"
_PART = 20_000  # rows embedded at once, as a task of a run does


def synthetic(rows: int, seed: int = 1) -> pl.DataFrame:
    """Return rows (`id, source, lang, messages`) of a question and an answer."""
    dice = random.Random(seed)
    found = []
    for number in range(rows):
        size = dice.randint(20, 200)
        if number % 2:
            texts = ["".join(dice.choices(_CHARACTERS, k=size)) for _ in range(2)]
        else:
            texts = [" ".join(dice.choices(_WORDS, k=size // 5)) for _ in range(2)]
        messages = [{"role": role, "content": text} for role, text in zip(("user", "assistant"), texts, strict=True)]
        found.append({"id": f"{number:032x}", "source": "", "lang": ("en", "zh")[number % 2], "messages": messages})
    return pl.DataFrame(found)


def from_corpus(path: Path) -> pl.DataFrame:
    """Return the records of an input as rows."""
    return pl.DataFrame(
        {"id": r.id, "source": r.source, "lang": r.lang, "messages": to_dicts(r.messages)} for r in iter_records([path])
    )


def tiny_sentence_model(texts: Sequence[str], folder: Path) -> Path:
    """Save a transformer of four layers with mean pooling."""
    work_offline()
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    base = make_tiny_model(texts, folder / "base", hidden=128, layers=4)
    transformer = Transformer(str(base), max_seq_length=256)
    SentenceTransformer(modules=[transformer, Pooling(128)], device="cpu").save(str(folder / "sentence"))
    return folder / "sentence"


def offline(rows: pl.DataFrame, sizes: Sequence[int], rounds: int) -> str:
    """Return the table of the offline embedding."""
    Embedding().measure(rows[:1000], {}, 1)
    lines = []
    for size in sizes:
        taken = rows[:size]
        (seconds, _), added = memory_added(partial(cpu_time, partial(by_parts, Embedding(), taken), rounds))
        lines.append([f"{taken.height:,}", f"{seconds:.2f}", f"{taken.height / seconds:,.0f}", f"{added:.2f}"])
    return table(["rows", "processor seconds", "rows/s", "GiB added"], lines)


def by_parts(attribute: Any, rows: pl.DataFrame) -> None:
    """Measure an attribute part by part, as a run does."""
    for part in rows.iter_slices(_PART):
        attribute.measure(part, {}, 1)


def with_models(rows: pl.DataFrame, sizes: Sequence[int], rounds: int) -> str:
    """Return the table of tiny models: sentence-transformers plainly, ours, and IFD."""
    every = ["\n".join(message["content"] for message in messages) for messages in rows["messages"]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sentence = tiny_sentence_model(every[:500], folder)
        plain = open_sentence_transformer(sentence)
        ours, ifd = SentenceEmbedding(model=sentence), Ifd(model=folder / "base")
        for attribute in (ours, ifd):
            attribute.measure(rows[:20], {}, 1)
        plain.encode(every[:20], show_progress_bar=False)
        lines = []
        for size in sizes:
            taken, texts = rows[:size], every[:size]
            jobs: dict[str, Any] = {
                "sentence-transformers, `encode`": partial(plain.encode, texts, batch_size=32, show_progress_bar=False),
                "ours, `sentence_embedding`": partial(ours.measure, taken, {}, 1),
                "ours, `ifd` (two losses a row)": partial(ifd.measure, taken, {}, 1),
            }
            for what, job in jobs.items():
                (seconds, _), added = memory_added(partial(cpu_time, job, rounds))
                speed = f"{taken.height / seconds:,.0f}"
                lines.append([what, f"{taken.height:,}", f"{seconds:.1f}", speed, f"{added:.2f}"])
    return table(["", "rows", "processor seconds", "rows/s", "GiB added"], lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--model-sizes", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    rows = from_corpus(given.corpus) if given.corpus else synthetic(max(given.sizes))
    found = {
        "embedding offline": offline(rows, given.sizes, given.rounds),
        "embedding models": with_models(rows, given.model_sizes, given.rounds),
    }
    for name, text in found.items():
        print(f"\n{name}\n\n{text}", flush=True)
        if given.write:
            write_section(name, text)


if __name__ == "__main__":
    main()
