"""The embedding is a function of the text alone, of length 1, and nearer for what is worded alike."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.attributes.kinds.embedding import Embedding, embed, mixed, projection, vectors_of

ZH = ("请介绍一下北京的历史和著名景点。", "请介绍一下北京的历史与著名的景点", "用一元二次方程求根公式解下面的题目")
EN = ("How do I bake a loaf of sourdough bread?", "How do I bake sourdough bread loaves?", "List three prime numbers")
HERE = ["", *ZH, *EN, "a", "一", "x" * 5000, "mixed 中文 and English"]

CHILD = """
import hashlib, sys
import posttrain_root
from data_pipeline.attributes.kinds.embedding import embed
print(hashlib.sha256(embed([{text!r}], dimensions=64, ngrams=(1, 2, 3), seed=7).tobytes()).hexdigest())
"""


def vectors(*texts: str, seed: int = 7) -> np.ndarray:
    return embed(texts, dimensions=256, ngrams=(1, 2, 3), seed=seed)


def frame(*texts: str) -> pl.DataFrame:
    messages = [[{"role": "user", "content": text}] for text in texts]
    ids = [str(number) for number in range(len(texts))]
    turns = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
    return pl.DataFrame({"id": ids, "messages": messages}, schema={"id": pl.String, "messages": turns})


def test_the_hash_is_splitmix64() -> None:
    # First outputs of the reference generator for seed 0 and, a step on, 0x9E3779B97F4A7C15.
    start = np.array([0, 0x9E3779B97F4A7C15], dtype=np.uint64)
    assert [hex(v) for v in mixed(start)] == ["0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4"]


def test_the_projection_is_signs_and_fixed_by_the_seed() -> None:
    matrix = projection(1 << 10, 16, 3)
    assert set(np.unique(matrix)) == {-1.0, 1.0}
    assert abs(float(matrix.mean())) < 0.05
    assert np.array_equal(matrix, projection(1 << 10, 16, 3))
    assert not np.array_equal(matrix, projection(1 << 10, 16, 4))


def test_vectors_have_length_one_and_an_empty_text_has_none() -> None:
    lengths = np.linalg.norm(vectors(*HERE), axis=1)
    assert lengths[0] == 0
    assert lengths[1:] == pytest.approx(np.ones(len(HERE) - 1), abs=1e-5)


@pytest.mark.parametrize("texts", [ZH, EN], ids=["zh", "en"])
def test_alike_is_nearer_than_unrelated(texts: tuple[str, str, str]) -> None:
    one, alike, other = vectors(*texts)
    assert one @ alike > 0.5
    assert one @ alike > one @ other + 0.3
    assert vectors(texts[0], texts[0])[0] @ one == pytest.approx(1, abs=1e-5)


def test_cosine_estimates_shared_ngrams() -> None:
    # "abcd" and "abce" share a b c ab bc abc of 9 n-grams each: cosine 6/9, ± 4/√256 by the projection.
    one, other = vectors("abcd", "abce")
    assert float(one @ other) == pytest.approx(6 / 9, abs=0.25)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=12), st.integers(0, 11))
def test_batches_change_nothing_to_the_bit(texts: list[str], cut: int) -> None:
    clean = [text.encode("utf-8", "replace").decode() for text in texts]
    together = embed(clean, dimensions=64, ngrams=(1, 2, 3), seed=1)
    apart = [embed(part, dimensions=64, ngrams=(1, 2, 3), seed=1) for part in (clean[:cut], clean[cut:])]
    assert np.array_equal(together, np.concatenate(apart))


def test_more_texts_than_a_batch_equal_each_alone() -> None:
    texts = [f"第{number}行 row {number * 7919}" for number in range(600)]
    together = vectors(*texts)
    assert np.array_equal(together[555], vectors(texts[555])[0])


def test_python_hash_seed_does_not_matter(root: Path) -> None:
    mine = hashlib.sha256(embed([ZH[0]], dimensions=64, ngrams=(1, 2, 3), seed=7).tobytes()).hexdigest()
    for hash_seed in ("0", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", CHILD.format(text=ZH[0])],
            cwd=root, env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.strip() == mine


def test_the_column_is_float16_null_for_no_text_and_says_what_was_cut() -> None:
    kind = Embedding(dimensions=32, max_characters=10)
    table = kind.measure(frame("hello", "  ", "0123456789abcdef"), {}, 1)
    assert str(table.schema.field("embedding").type) == "fixed_size_list<item: halffloat>[32]"
    assert table["embedding"].is_null().to_pylist() == [False, True, False]
    assert table["characters_cut"].to_pylist() == [0, 0, 6]
    found, valid = vectors_of(table)
    assert found.shape == (2, 32)
    assert valid.tolist() == [True, False, True]
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 1], abs=2e-3)


def test_prompt_and_answer_can_be_embedded_apart() -> None:
    messages = [[{"role": "user", "content": "问"}, {"role": "assistant", "content": "答"}]]
    row = pl.DataFrame({"id": ["0"], "messages": messages})
    prompt, answer = (Embedding(text=text).measure(row, {}, 1)["embedding"] for text in ("prompt", "answer"))
    asked, answered = (Embedding().measure(frame(text), {}, 1)["embedding"] for text in ("问", "答"))
    assert prompt.equals(asked)
    assert answer.equals(answered)


def test_no_rows_give_a_table_with_the_same_columns() -> None:
    assert Embedding().measure(frame(), {}, 1).schema == Embedding().measure(frame("a"), {}, 1).schema
