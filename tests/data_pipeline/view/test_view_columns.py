"""What a map's columns are to the eye, and how rows become previews and points."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from data_pipeline.view.columns import chosen, map_columns
from data_pipeline.view.project import pca, steps_of, tsne, umap
from data_pipeline.view.table import preview
from utils.errors import UserError


def frame() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": list("abcdef"),
            "source": ["en", "zh", "zh", "en", "zh", "zh"],
            "cluster.cluster": [0, 0, 1, 1, 0, None],
            "cluster.cluster_name": ["诗", "诗", "诗", "诗", "诗", None],
            "score": [0.5, None, 1.0, 2.0, 3.0, 4.0],
            "good": [True, False, True, True, None, True],
            "tags": [["数学", "代码"], [], None, ["代码"], ["代码", "数学"], ["代码"]],
        }
    )


def test_columns_are_told_apart_by_what_they_hold() -> None:
    found = {column.name: column for column in map_columns(frame())}
    assert {name: column.kind for name, column in found.items()} == {
        "source": "category", "cluster.cluster": "category", "score": "number", "good": "category", "tags": "tags",
    }  # fmt: skip
    assert found["source"].names == ("zh", "en")
    assert found["source"].values.tolist() == [1, 0, 0, 1, 0, 0]
    assert found["cluster.cluster"].names == ("0 诗", "1 诗", "–")  # two clusters of one name stay two
    assert np.isnan(found["score"].values).tolist() == [False, True, False, False, False, False]
    assert (found["tags"].names, found["tags"].values.tolist()) == (("代码", "数学"), [1, 0, 0, 0, 1, 0])
    assert found["tags"].counts.tolist() == [2, 0, 0, 1, 2, 1]


def test_a_column_with_a_value_of_its_own_for_most_rows_is_text() -> None:
    many = pl.DataFrame({"note": [f"note {number}" for number in range(200)]})
    assert [column.kind for column in map_columns(many)] == ["text"]


def test_the_map_is_coloured_by_the_cluster_unless_told() -> None:
    columns = map_columns(frame())
    assert chosen(columns, None).name == "cluster.cluster"
    assert chosen(map_columns(frame().drop("cluster.cluster", "cluster.cluster_name")), None).name == "source"
    assert chosen(columns, "score").kind == "number"
    with pytest.raises(UserError, match="nearest: score"):
        chosen(columns, "scores")


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([("user", "你好\n 吗"), ("assistant", "好")], "你好 吗 → 好"),
        ([("document", "a" * 30)], "a" * 19 + "…"),
        ([("user", "q" * 30), ("assistant", "b" * 30)], "q" * 11 + "… → " + "b" * 4 + "…"),
        ([("user", "q" * 30), ("assistant", "b")], "q" * 15 + "… → b"),
        ([("assistant", "only")], "only"),
        ([], ""),
    ],
)
def test_a_preview_is_one_line_of_prompt_and_answer(turns: list[tuple[str, str]], expected: str) -> None:
    assert preview(turns, 20) == expected
    assert len(preview(turns, 20)) <= 20


def test_pca_by_hand() -> None:
    """Points on a line through (3, 4) ÷ 5: the first component is the place on it, the second nothing."""
    places = np.array([-2.0, -1.0, 0.0, 3.0])
    found = pca(places[:, None] * np.array([[0.6, 0.8]]) + 7, 2)
    assert np.allclose(found, np.stack([places - places.mean(), np.zeros(4)], axis=1))
    assert pca(np.ones((3, 1)), 2).shape == (3, 2)


def blobs(rows: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, rows)
    return np.eye(3, 64)[labels] * 9 + random.normal(size=(rows, 64)), labels


def test_tsne_parts_what_is_apart_and_does_not_depend_on_threads() -> None:
    vectors, labels = blobs(150)
    told: list[int] = []

    def step(count: int) -> bool:
        told.append(count)
        return False

    one, two = (tsne(vectors, perplexity=10, iterations=100, threads=threads, seed=1, step=step) for threads in (1, 2))
    assert np.array_equal(one, two)
    assert sum(told) == 2 * steps_of(100) == 700
    distances = np.linalg.norm(one[:, None] - one[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (labels[distances.argmin(axis=1)] == labels).mean() > 0.95


def test_tsne_of_very_few_points_and_an_early_end() -> None:
    never = pytest.fail
    assert tsne(np.eye(3), perplexity=30, iterations=50, threads=1, seed=0, step=never).shape == (3, 2)
    assert tsne(np.eye(6), perplexity=30, iterations=50, threads=1, seed=0, step=lambda _: True).shape == (6, 2)


def test_umap_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "umap", None)
    with pytest.raises(UserError, match="umap-learn is not installed → install umap-learn, or set method=tsne"):
        umap(np.eye(6), seed=0)
