"""Candidates: slices, large buckets, runs that memory can hold, blocks on disk."""

from __future__ import annotations

import itertools
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaning.duplicates import bands, parts
from cleaning.duplicates.arrays import ArrayWriter, packed, unpacked
from cleaning.duplicates.bands import _cut
from cleaning.duplicates.parts import Part, band_of
from cleaning.duplicates.run import slices
from tests.cleaning.duplicates.here import documents, search

NEAR = {"unit": "character"}


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), max_size=80), st.integers(2, 12), st.integers(1, 60))
def test_buckets_are_never_cut_and_large_ones_come_alone(values: list[int], bucket_rows: int, most: int) -> None:
    hashes = (np.array(values, np.uint32) << np.uint32(16)) + np.uint32(5)
    pairs = set()
    for places, large in _cut(hashes, bucket_rows, most):
        same = defaultdict(list)
        for place in places.tolist():
            same[values[place]].append(place)
        assert large == (len(same) == 1 and len(places) > bucket_rows)
        made = {pair for rows in same.values() for pair in itertools.combinations(sorted(rows), 2)}
        assert not made & pairs
        pairs |= made
    wanted = {(a, b) for a, b in itertools.combinations(range(len(values)), 2) if values[a] == values[b]}
    assert pairs == wanted


@pytest.mark.parametrize("rows", [1, 5, 8, 9, 16, 21])
def test_a_band_is_read_from_its_blocks(rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "BLOCK", 8)
    hashes = np.arange(rows * 3, dtype=np.uint32).reshape(rows, 3)
    part = Part(str(tmp_path), "p", rows, 0, False, "in.jsonl")
    part.trace("bands.npy").parent.mkdir(parents=True)
    writer = ArrayWriter(part.trace("bands.npy"), "<u4")
    for start in range(0, rows, 8):
        writer.write(hashes[start : start + 8].T.ravel())
    writer.close()
    for band in range(3):
        assert band_of(part, band, 3).tolist() == hashes[:, band].tolist()


def test_an_array_of_unknown_length_is_a_npy_file(tmp_path: Path) -> None:
    for width in (None, 4):
        writer = ArrayWriter(tmp_path / "a.npy", "<u4", width)
        for size in (0, 3, 10**4):
            writer.write(np.full((size, width) if width else size, size, np.uint32))
        writer.close()
        found = np.load(tmp_path / "a.npy", mmap_mode="r")
        assert found.shape == ((10003, width) if width else (10003,))
        assert found[0].tolist() == ([3] * 4 if width else 3)


def test_pairs_are_ordered_as_numbers() -> None:
    left, right = np.array([0, 1, 1, 2**32 - 2], np.uint32), np.array([9, 2, 3, 2**32 - 1], np.uint32)
    numbers = packed(left, right)
    assert (np.diff(numbers.astype(object)) > 0).all()
    assert [side.tolist() for side in unpacked(numbers)] == [left.tolist(), right.tolist()]


def test_slices_grow_with_rows_and_fit_the_budget() -> None:
    assert slices(0, 1 << 30) == slices(10**6, 1 << 30) == 1
    assert slices(10**8, 1 << 30) * (1 << 29) >= 64 * 10**8


def reports(output: Path, start: str) -> list[dict[str, Any]]:
    from utils.runs.commit import read_report

    found = [read_report(path) for path in sorted((output / "run/reports").glob(f"{start}*.json"))]
    return [report for report in found if report]


def test_a_large_bucket_is_led_by_representatives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty near-equal rows, pairs of which would be 1770: each is compared with a leader, and all are one cluster."""
    base = "".join(chr(0x4E00 + 3 * number) for number in range(200))
    source = documents(tmp_path / "in.jsonl", [f"{base}{number:03d}" for number in range(60)])
    found = search(source, tmp_path / "out", {"near": {**NEAR, "bucket_rows": 10}})
    assert [bool(reasons) for reasons in found["reasons"].to_list()] == [False] + [True] * 59
    candidates = reports(tmp_path / "out", "dedup-band")
    assert sum(report["pairs"] for report in candidates) < 400
    assert sum(report["large_rows"] for report in candidates) > 60
    # The same by pieces: what leads in each piece is led once more.
    search_led = bands._Search._led
    monkeypatch.setattr(bands._Search, "_led", lambda self, rows: search_led(_small(self), rows))
    again = search(source, tmp_path / "pieces", {"near": {**NEAR, "bucket_rows": 10}})
    assert again["reasons"].to_list() == found["reasons"].to_list()
    assert again["cluster"].to_list() == found["cluster"].to_list()


def _small(search: Any) -> Any:
    """Let a search hold seven signatures at a time."""
    search._room = 7 * 4 * 128
    return search


def test_slices_and_runs_of_pairs_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [
        chr(0x4E00 + 40 * (n % 7)) * 3 + "".join(chr(0x5000 + 9 * (n % 7) + k) for k in range(60)) for n in range(70)
    ]
    texts = [text + str(n) for n, text in enumerate(texts)]
    source = documents(tmp_path / "in.jsonl", texts)
    wanted = search(source, tmp_path / "a", {"near": NEAR})
    assert wanted["cluster"].n_unique() == 8, "seven clusters, and null"
    monkeypatch.setattr("cleaning.duplicates.run.slices", lambda rows, budget: 3)
    monkeypatch.setattr(bands, "_BYTES_PER_PAIR", 1 << 24)
    found = search(source, tmp_path / "b", {"near": NEAR, "memory_budget": 16 << 20})
    assert found.equals(wanted)
    assert len(reports(tmp_path / "b", "dedup-band")) == 3
    assert max(len(report["candidates"]) for report in reports(tmp_path / "b", "dedup-band")) > 5
