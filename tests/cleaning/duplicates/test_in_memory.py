"""The whole search against all pairs, compared as Python's sets."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import pytest

from cleaning.duplicates import in_memory
from cleaning.duplicates.config import BestField, Near
from cleaning.duplicates.in_memory import near_duplicates

# One value per band: a pair at 0.5 is missed with odds of 2^-128.
CERTAIN = {"bands": 128, "rows": 1}


def corpus(seed: int, rows: int = 60) -> list[str]:
    """Return texts of few words, with edited and exact copies, short and empty ones."""
    draw = random.Random(seed)
    words = ["alpha", "beta", "gamma", "delta", "今天", "天气", "很好", "公园", "散步", "😀"]
    texts = [" ".join(draw.choices(words, k=draw.randint(0, 25))) for _ in range(rows)]
    for _ in range(rows):
        text = list(draw.choice(texts))
        for _ in range(draw.randint(0, 4)):
            text[draw.randrange(len(text) + 1) :][:1] = draw.choice("abc天 ")
        place = draw.randrange(len(text) + 1)
        texts.append("".join([*text[:place], *draw.choices("xyz好", k=draw.randint(0, 3)), *text[place:]]))
    draw.shuffle(texts)
    return texts


def expected(texts: list[str], threshold: float) -> list[int]:
    """Return the smallest row of each row's cluster."""
    sets = [{text[i : i + 5] for i in range(len(text) - 4)} for text in texts]
    labels = list(range(len(texts)))
    for i, j in combinations(range(len(texts)), 2):
        either = len(sets[i] | sets[j])
        if texts[i] == texts[j] or (either and len(sets[i] & sets[j]) / either >= threshold):
            one, other = labels[i], labels[j]
            labels = [min(one, other) if label in (one, other) else label for label in labels]
    return labels


@pytest.mark.parametrize("seed", range(6))
def test_clusters_are_those_of_all_pairs(seed: int) -> None:
    texts = corpus(seed)
    near = Near(unit="character", survivor="first", threshold=0.6, **CERTAIN)
    found = near_duplicates(texts, near)
    # The first row of a cluster survives, so that labels are the smallest rows.
    assert found.labels.tolist() == expected(texts, 0.6)
    assert len(set(found.labels.tolist())) < len(texts) - 20
    assert found.candidates >= found.compared >= found.verified > 0


@pytest.mark.parametrize("unit", ["character", "script"])
def test_a_dropped_row_has_a_neighbour_on_the_way_to_its_survivor(unit: str) -> None:
    texts = corpus(9)
    found = near_duplicates(texts, Near(unit=unit, **CERTAIN))
    assert (found.labels != np.arange(len(texts))).sum() > 20
    for row, (label, neighbour) in enumerate(zip(found.labels, found.neighbour, strict=True)):
        if row == label:
            assert (neighbour, found.similarity[row]) == (row, 1)
            continue
        assert found.similarity[row] >= 0.7
        seen = {row}
        while neighbour != label:
            assert neighbour not in seen
            seen.add(int(neighbour))
            neighbour = found.neighbour[neighbour]
        assert found.labels[label] == label


def test_the_longest_the_first_or_the_best_survives() -> None:
    base = "one two three four five six seven eight nine ten eleven twelve"
    texts = [base, base + " x", base + " 今天", base]
    found = [
        near_duplicates(texts, Near(unit="character", survivor="longest")),
        near_duplicates(texts, Near(unit="character", survivor="first")),
        near_duplicates(texts, Near(unit="character"), np.array([0.0, 5.0, 1.0, 9.0])),
    ]
    assert [set(one.labels.tolist()) for one in found] == [{2}, {0}, {1}]
    # An exact copy hangs on its representative and cannot survive, whatever it scores.
    assert [(one.neighbour[3], one.similarity[3]) for one in found] == [(0, 1.0)] * 3
    with pytest.raises(ValueError, match="'score' is no part of the texts"):
        near_duplicates(texts, Near(survivor=BestField(field="score")))


def test_short_texts_are_compared_exactly() -> None:
    texts = ["好", "", "好", "吗", "", "abcd", "abce", "abcd"]
    for unit in ("character", "script"):
        assert near_duplicates(texts, Near(unit=unit)).labels.tolist() == [0, 1, 0, 3, 1, 5, 6, 5]
    assert near_duplicates([], Near()).labels.tolist() == []


def test_the_number_of_pairs_compared_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts, near = corpus(4), Near(unit="character", **CERTAIN)
    whole = near_duplicates(texts, near)
    monkeypatch.setattr(in_memory, "PAIRS_AT_ONCE", 7)
    parts = near_duplicates(texts, near)
    assert all((one == other).all() for one, other in zip(whole[:3], parts[:3], strict=True))


def test_a_bucket_over_the_limit_still_finds_its_copies() -> None:
    base = "there was an old man who lived by the sea and counted the waves of every day"
    texts = [f"{base} {n}" for n in range(300)]
    found = near_duplicates(texts, Near(unit="character", survivor="first", bucket_rows=50))
    assert set(found.labels.tolist()) == {0}
    assert found.candidates < 5000
