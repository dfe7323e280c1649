"""DEITA's selection by hand: best first, unlike what is taken, within the budget."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from data_pipeline.attributes.kinds import diversity
from data_pipeline.attributes.kinds.diversity import Diversity, select
from data_pipeline.attributes.kinds.embedding import vector_column
from utils.errors import UserError

# a and b point the same way, c is at 45° to both (cosine 0.707), d stands apart, e has no embedding, f no score.
VECTORS = np.array([[1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0], [0, 1, 0]], dtype=np.float32)
VECTORS[2] /= np.sqrt(2)
ROWS = pl.DataFrame({"id": list("abcdef")})
GIVEN = {
    "embedding": pa.table({"id": list("abcdef"), "embedding": vector_column(VECTORS)}),
    "quality": pa.table({"id": list("abcdef"), "score": [2.0, 3.0, 5.0, 1.0, 9.0, None], "word": list("vwxyz-")}),
    "difficulty": pa.table({"id": list("abcdef"), "score": [2, 2, 1, 1, 9, 9]}),
    "length": pa.table({"id": list("abcdef"), "tokens": [10, 10, 30, 5, 1, 1]}),
}
SCORE = ("quality.score", "difficulty.score")  # products: a 4, b 6, c 5, d 1


def measured(**keys: object) -> dict[str, dict[str, object]]:
    table = Diversity(score=SCORE, **keys).measure(ROWS, GIVEN, 1)
    return {row.pop("id"): row for row in table.to_pylist()}


def test_by_hand() -> None:
    found = measured()
    assert found["b"] == {"rank": 0, "reason": None, "near": None, "cosine": None}
    assert found["c"]["rank"] == 1
    assert found["c"]["cosine"] == pytest.approx(2**-0.5, abs=1e-3)
    assert found["a"] == {"rank": None, "reason": "near", "near": "b", "cosine": 1.0}
    assert found["d"] == {"rank": 2, "reason": None, "near": None, "cosine": 0.0}
    assert [found[row]["reason"] for row in "ef"] == ["no_embedding", "no_score"]


def test_a_lower_limit_takes_less() -> None:
    found = measured(max_cosine=0.7)
    assert {row: found[row]["near"] for row in "abcd"} == {"a": "b", "b": None, "c": "b", "d": None}


@pytest.mark.parametrize(
    ("keys", "taken"),
    [
        ({"budget": 2}, "bc"),
        ({"budget": 45, "cost": "length.tokens"}, "bcd"),
        ({"budget": 39, "cost": "length.tokens"}, "b"),  # c would make it 40: there it ends, though d would fit
        ({"budget": 0.5}, ""),
    ],
)
def test_budget(keys: dict[str, object], taken: str) -> None:
    found = measured(**keys)
    assert {row for row in found if found[row]["rank"] is not None} == set(taken)
    behind = set("abcd") - set(taken) - {row for row in "abcd" if found[row]["reason"] == "near"}
    assert all(found[row]["reason"] == "budget" and found[row]["cosine"] is None for row in behind)


def test_blocks_do_not_matter_and_no_two_taken_rows_are_near(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    vectors = random.normal(size=(700, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    once = select(vectors, np.ones(700), 0.9, None)
    monkeypatch.setattr(diversity, "_BLOCK", 7)
    again = select(vectors, np.ones(700), 0.9, None)
    assert (once.rank == again.rank).all()
    assert (once.near == again.near).all()
    taken = vectors[once.rank >= 0]
    assert 50 < len(taken) < 600
    assert np.triu(taken @ taken.T, 1).max() <= 0.9 + 1e-5
    passed = np.flatnonzero(once.reason == diversity.NEAR)
    assert (np.einsum("nd,nd->n", vectors[passed], vectors[once.near[passed]]) > 0.9 - 1e-5).all()
    assert (once.near[passed] < passed).all()


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(UserError, match=r"no column quality\.scores"):
        Diversity(score=("quality.scores",)).measure(ROWS, GIVEN, 1)
    with pytest.raises(UserError, match=r"quality\.word holds no numbers"):
        Diversity(score=("quality.word",)).measure(ROWS, GIVEN, 1)


def test_no_rows() -> None:
    given = {name: table.slice(0, 0) for name, table in GIVEN.items()}
    assert Diversity(score=SCORE).measure(ROWS[:0], given, 1).num_rows == 0
