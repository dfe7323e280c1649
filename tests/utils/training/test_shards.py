"""Token shards: what comes out is what went in, in an order of the seed's alone, in bounded memory."""

from __future__ import annotations

import os
import pickle
import random
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.errors import StageFailedError
from utils.runs.config import RunConfig
from utils.runs.directory import Run
from utils.training import shards as module
from utils.training.shards import ShardWriter, TokenShards, built_once

ROWS = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 1)), min_size=1, max_size=12),
        st.integers(0, 2**40),
        st.booleans(),
    ),
    max_size=30,
)


def write(folder: Path, rows, *, seed=1, vocabulary=65536, expected_bytes=0) -> TokenShards:
    folder.mkdir()
    writer = ShardWriter(folder, vocabulary=vocabulary, seed=seed, expected_bytes=expected_bytes)
    for tokens, record, document in rows:
        writer.add([t for t, _ in tokens], [m for _, m in tokens], record=record, source=record % 7, document=document)
    writer.finish()
    return TokenShards(folder)


def read(shards: TokenShards) -> list:
    return [
        (list(zip(r.ids.tolist(), r.mask.tolist(), strict=True)), r.record, r.document)
        for r in (shards[i] for i in range(len(shards)))
    ]


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 9), buckets=st.integers(1, 7))
def test_rows_come_out_whole_in_the_seeds_order(tmp_path_factory, rows, seed, buckets):
    base = tmp_path_factory.mktemp("shards")
    one = read(write(base / "one", rows, seed=seed))
    assert sorted(one) == sorted(rows)
    many = write(base / "many", rows, seed=seed, expected_bytes=(buckets - 1) * module._BUCKET_BYTES // 2)
    assert read(many) == one
    assert many.source.tolist() == [record % 7 for _, record, _ in one]
    assert many.lengths().tolist() == [len(tokens) for tokens, *_ in one]
    assert sorted(path.name for path in (base / "many").iterdir()) == [
        "document.npy", "ids.npy", "mask.npy", "offsets.npy", "record.npy", "source.npy"
    ]  # fmt: skip


def test_flushing_in_between_changes_nothing(tmp_path, monkeypatch):
    rows = [([(n % 9, 1)] * (1 + n % 5), n, n % 2 == 0) for n in range(200)]
    whole = read(write(tmp_path / "whole", rows))
    monkeypatch.setattr(module, "_HELD_BYTES", 64)
    monkeypatch.setattr(module, "_BUCKET_BYTES", 100)
    assert read(write(tmp_path / "often", rows, expected_bytes=1000)) == whole
    assert read(write(tmp_path / "other", rows, seed=2)) != whole
    assert [record for _, record, _ in whole] != sorted(record for _, record, _ in whole)


def test_ids_take_two_bytes_or_four(tmp_path):
    assert write(tmp_path / "a", [([(65535, 1)], 0, False)]).ids.dtype == np.dtype("<u2")
    wide = write(tmp_path / "b", [([(200_000, 1)], 0, False)], vocabulary=200_001)
    assert wide.ids.dtype == np.dtype("<u4")
    assert wide[0].ids.tolist() == [200_000]
    with pytest.raises(OverflowError):
        write(tmp_path / "c", [([(65536, 1)], 0, False)])


def test_files_are_mapped_not_read_and_no_pickle_is_loaded(tmp_path):
    shards = write(tmp_path / "a", [([(1, 1), (2, 0)], 5, True)])
    assert isinstance(shards.ids, np.memmap)
    assert read(pickle.loads(pickle.dumps(shards))) == read(shards)  # noqa: S301
    assert len(pickle.dumps(shards)) < 500  # the path, not the tokens
    np.save(tmp_path / "a" / "mask.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        TokenShards(tmp_path / "a")


def test_files_of_two_sets_are_refused(tmp_path):
    write(tmp_path / "a", [([(1, 1), (2, 0)], 5, True)])
    write(tmp_path / "b", [([(1, 1)], 5, True)])
    os.replace(tmp_path / "b" / "mask.npy", tmp_path / "a" / "mask.npy")
    with pytest.raises(StageFailedError, match="do not belong together"):
        TokenShards(tmp_path / "a")


def test_a_row_out_of_range_and_an_empty_row(tmp_path):
    shards = write(tmp_path / "a", [([(1, 1)], 0, False)])
    with pytest.raises(IndexError):
        shards[1]
    with pytest.raises(ValueError, match="1 ids, 2 marks"):
        ShardWriter(tmp_path, vocabulary=9, seed=1).add([1], [1, 1], record=0, source=0, document=False)


def test_built_once_and_again_when_a_file_is_damaged(tmp_path):
    run = Run(RunConfig(output=tmp_path / "run"), "sft", quiet=True)
    run.open()
    built = []

    def build(folder: Path) -> dict:
        built.append(folder)
        (folder / "x").write_text("content")
        return {"rows": 3}

    first, report = built_once(run, "tokens-1", build)
    assert (first / "x").read_text() == "content"
    assert (report["rows"], report["by_content"]) == (3, True)
    assert built_once(run, "tokens-1", build) == (first, report)
    assert len(built) == 1
    built_once(run, "tokens-2", build)
    assert len(built) == 2
    (first / "x").write_text("changed")
    assert built_once(run, "tokens-1", build)[0] == first
    assert len(built) == 3
    assert (first / "x").read_text() == "content"
    run.close("done")


def test_other_ranks_wait_for_the_leader(tmp_path):
    leader = Run(RunConfig(output=tmp_path / "run"), "sft", quiet=True)
    other = Run(RunConfig(output=tmp_path / "run"), "sft", quiet=True, leader=False)
    leader.open()
    found = []
    wait = threading.Thread(target=lambda: found.append(built_once(other, "u", pytest.fail)))
    wait.start()
    wait.join(0.5)
    assert not found

    def build(folder: Path) -> dict:
        (folder / "x").write_text("y")
        return {}

    mine = built_once(leader, "u", build)
    wait.join(10)
    assert found == [mine]
    leader.close("done")


def test_the_order_is_even(tmp_path):
    """No tail of the input stays together: the halves of the output each hold about half of every part."""
    rows = [([(1, 1)], n, False) for n in range(4000)]
    random.Random(1).shuffle(rows)
    shards = write(tmp_path / "a", sorted(rows, key=lambda row: row[1]))
    first = np.asarray(shards.record[:2000])
    assert 900 < int((first < 2000).sum()) < 1100
