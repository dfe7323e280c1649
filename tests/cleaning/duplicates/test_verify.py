"""Verification: exact Jaccard, answers, pieces that memory can hold, texts on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaning.duplicates import verify
from cleaning.duplicates.arrays import packed
from cleaning.duplicates.texts import TextReader, TextWriter, interleaved
from cleaning.duplicates.verify import EDGE, _pieces
from tests.cleaning.duplicates.here import CERTAIN, documents, jaccard, search, write_rows

NEAR = {"unit": "character", **CERTAIN}


@pytest.mark.parametrize("dictionary", [16, 1 << 15])
@pytest.mark.parametrize("batches", [[0], [1], [16, 16, 3], [0, 16, 40], [5, 0, 40]])
def test_texts_come_back_in_any_choice_of_rows(
    batches: list[int], dictionary: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cleaning.duplicates.texts._DICTIONARY", dictionary)
    texts = [f"文本 {number} " * (number % 5) for number in range(sum(batches))]
    answers = [text[: number % 3] for number, text in enumerate(texts)]
    writer, start = TextWriter(tmp_path / "t"), 0
    for size in batches:
        mine = slice(start, start + size)
        writer.write(interleaved(pa.array(texts[mine], pa.large_string()), pa.array(answers[mine], pa.large_string())))
        start += size
    writer.close()
    reader = TextReader(tmp_path / "t")
    assert reader.lengths[:, 0].tolist() == [len(text.encode()) for text in texts]
    for rows in ([0], [3, 17, 18, 33], [34], list(range(sum(batches)))):
        chosen = np.array([row for row in rows if row < len(texts)], np.int64)
        if len(chosen):
            found, spoken = reader.read(chosen)
            assert found.to_pylist() == [texts[row] for row in chosen]
            assert spoken.to_pylist() == [answers[row] for row in chosen]


@settings(deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 40), st.integers(41, 60))), max_size=4),
    st.integers(0, 20),
    st.integers(0, 30),
    st.integers(1, 9),
)
def test_pieces_hold_each_pair_of_a_range_once(
    files: list[list[tuple[int, int]]], start: int, size: int, most: int
) -> None:
    arrays = [np.unique(packed(*np.array(pairs, np.uint32).reshape(-1, 2).T)) for pairs in files]
    found = list(_pieces(arrays, start, start + size, most)) if arrays else []
    wanted = sorted({pair for pairs in files for pair in pairs if start <= pair[0] < start + size})
    assert [int(pair) for piece in found for pair in piece] == [left << 32 | right for left, right in wanted]


def test_similarity_is_the_exact_jaccard_and_the_threshold_is_reached_by_equality(tmp_path: Path) -> None:
    base = "".join(chr(0x4E00 + number) for number in range(21))  # 17 shingles
    texts = [base, base[:-3] + "甲乙丙"]  # shares 14 of 20
    assert jaccard(*texts) == 0.7
    found = search(documents(tmp_path / "in.jsonl", texts), tmp_path / "out", {"near": NEAR})
    assert found["similarity"].to_list() == [None, np.float32(0.7)]
    over = search(tmp_path / "in.jsonl", tmp_path / "over", {"near": {**NEAR, "threshold": 0.71}})
    assert over["similarity"].to_list() == [None, None]


def test_texts_are_read_some_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = "".join(chr(0x4E00 + 5 * number) for number in range(400))
    source = documents(tmp_path / "in.jsonl", [base[: 380 + number % 20] + str(number) for number in range(40)])
    wanted = search(source, tmp_path / "a", {"near": NEAR})
    assert wanted["reasons"].list.len().sum() == 39
    sizes: list[int] = []
    compare = verify._Checker._compare
    monkeypatch.setattr(verify, "_BYTES_PER_TEXT_BYTE", 1 << 12)
    monkeypatch.setattr(
        verify._Checker,
        "_compare",
        lambda self, pairs: sizes.append(len(pairs)) or compare(self, pairs),  # type: ignore[func-returns-value]
    )
    found = search(source, tmp_path / "b", {"near": NEAR, "memory_budget": 64 << 20})
    assert found.equals(wanted)
    assert len(sizes) > 10 and sum(sizes) == 40 * 39 // 2


def test_short_answers_must_be_equal(tmp_path: Path) -> None:
    long = "".join(chr(0x4E00 + 7 * number) for number in range(120))
    answers = ["对", "错", "对", "是的，完全正确，毫无疑问，可以放心"]
    rows = [{"instruction": f"{long}{n}", "output": answer} for n, answer in enumerate(answers)]
    found = search(write_rows(tmp_path / "in.jsonl", rows), tmp_path / "out", {"near": NEAR})
    assert found["reasons"].to_list() == [[], [], ["near_duplicate"], []]
    number = np.load(tmp_path / "out/run/work/duplicates/edges-00000.npy")
    assert number.dtype == EDGE and number[["left", "right"]].tolist() == [(0, 2)]


def test_a_document_is_no_duplicate_of_a_question_and_its_answer(tmp_path: Path) -> None:
    text = "".join(chr(0x4E00 + 3 * number) for number in range(90))
    write_rows(tmp_path / "in/a.jsonl", [{"instruction": text[:45], "output": text[45:]}])
    documents(tmp_path / "in/b.jsonl", [text])
    found = search(tmp_path / "in", tmp_path / "out", {"near": NEAR})
    assert found["reasons"].to_list() == [[], []]
