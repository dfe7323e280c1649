"""Signatures against datasketch, bands against plain Python."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from datasketch import LeanMinHash, MinHash, MinHashLSH
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaning.duplicates.minhash import band_hashes, collision_curve, shingled, signatures, text_signatures
from cleaning.duplicates.shingles import Ragged, shingle_hashes

# The first call may compile.
COMPILED = settings(deadline=None)

TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "The quick brown fox jumped over the lazy dogs.",
    "敏捷的棕色狐狸跳过了那只懒狗，然后跑进了森林。",
    "敏捷的棕色狐狸跳过那只懒狗，然后跑进了森林！",
    "Nothing like the others 😀😀😀😀😀😀",
    "short",
    "no",
]


def ragged(lists: list[list[int]]) -> Ragged:
    offsets = np.cumsum([0, *map(len, lists)]).astype(np.int64)
    return Ragged(offsets, np.array([value for row in lists for value in row], np.uint32))


def oracle(values: list[int], permutations: int, seed: int) -> MinHash:
    sketch = MinHash(num_perm=permutations, seed=seed, scheme="affine32", hashfunc=lambda value: value)
    sketch.update_batch(values)
    return sketch


def sketches(texts: list[str]) -> list[MinHash]:
    offsets, values = shingle_hashes(texts)
    return [oracle(values[a:b].tolist(), 128, 1) for a, b in pairwise(offsets)]


HASHES = st.lists(st.sampled_from([0, 1, 2**31, 2**32 - 1]) | st.integers(0, 2**32 - 1), max_size=40)


@COMPILED
@given(st.lists(HASHES, max_size=4), st.integers(1, 140), st.integers(0, 2**32 - 1))
def test_signatures_are_datasketch_s(lists: list[list[int]], permutations: int, seed: int) -> None:
    found = signatures(ragged(lists), permutations, seed)
    assert (found.dtype, found.shape) == (np.uint32, (len(lists), permutations))
    for row, values in zip(found, lists, strict=True):
        assert row.tolist() == oracle(values, permutations, seed).hashvalues.tolist()


@pytest.mark.parametrize("unit", ["character", "script"])
def test_signatures_of_texts_are_those_of_their_hashes(unit: str) -> None:
    for texts in (TEXTS, TEXTS[:1], []):
        assert (text_signatures(texts, unit) == signatures(shingle_hashes(texts, unit))).all()
        assert (text_signatures(texts, unit, 4, 2, 60, 9) == signatures(shingle_hashes(texts, unit, 4, 2), 60, 9)).all()


def test_datasketch_takes_our_signatures_for_its_own() -> None:
    index = MinHashLSH(num_perm=128, params=(21, 6))
    for place, sketch in enumerate(sketches(TEXTS[:6])):
        index.insert(place, sketch)
    for row, sketch in zip(text_signatures(TEXTS[:6]), sketches(TEXTS[:6]), strict=True):
        ours = LeanMinHash(seed=1, hashvalues=row, scheme="affine32")
        assert ours == LeanMinHash(sketch)
        assert index.query(ours) == index.query(sketch) != []
    assert sorted(index.query(LeanMinHash(seed=1, hashvalues=text_signatures(TEXTS)[0], scheme="affine32"))) == [0, 1]


def test_rows_without_a_shingle_are_told_apart() -> None:
    found = text_signatures(["", "abcd", "abcde"])
    assert shingled(found).tolist() == [False, False, True]
    assert (found[:2] == 2**32 - 1).all()


def test_equal_bands_have_equal_hashes_and_others_do_not() -> None:
    draw = np.random.default_rng(3)
    values = draw.integers(0, 3, (60, 128), dtype=np.uint32)
    found = band_hashes(values, 21, 6)
    assert (found.dtype, found.shape, found[:, 3].flags["C_CONTIGUOUS"]) == (np.uint64, (60, 21), True)
    for band in range(21):
        part = values[:, band * 6 : band * 6 + 6]
        expected = (part[:, None] == part[None]).all(axis=2)
        assert (expected == (found[:, band, None] == found[None, :, band])).all()
        assert expected.sum() > 60 or band != 0
    assert len(np.intersect1d(found[:, 0], found[:, 1])) == 0
    with pytest.raises(ValueError, match="22 bands of 6 need 132 permutations, not 128"):
        band_hashes(values, 22, 6)


def test_the_collision_curve_by_hand() -> None:
    # 0.7^6 = 0.117649; 1 - 0.117649 = 0.882351, to the 21st 0.0722. 0.7^8 = 0.057648; 0.942352^16 = 0.3868.
    # 0.7^9 = 0.040354; 0.959646^14 = 0.5617. 0.8^6 = 0.262144; 0.737856^21 = 0.00169.
    assert collision_curve(21, 6, [0.7, 0.8]) == [
        (0.7, pytest.approx(0.9278, abs=1e-4)),
        (0.8, pytest.approx(0.99831, abs=1e-5)),
    ]
    assert collision_curve(16, 8, [0.7]) == [(0.7, pytest.approx(0.6132, abs=1e-4))]
    assert collision_curve(14, 9, [0.7]) == [(0.7, pytest.approx(0.4383, abs=1e-4))]
    curve = collision_curve(21, 6)
    assert (len(curve), curve[0], curve[-1]) == (21, (0.0, 0.0), (1.0, 1.0))


def test_bands_are_shared_as_often_as_the_curve_says() -> None:
    draw = np.random.default_rng(11)
    common, first, second = (draw.integers(0, 2**32, (3000, n), dtype=np.uint32) for n in (14, 3, 3))
    left, right = (signatures(ragged(np.hstack([common, own]).tolist())) for own in (first, second))
    share = (band_hashes(left) == band_hashes(right)).any(axis=1).mean()
    expected = collision_curve(21, 6, [0.7])[0][1]
    # 3,000 draws: a standard error of 0.0047.
    assert abs(share - expected) < 5 * 0.0047
    assert abs((left == right).mean() - 0.7) < 0.005
