"""Exact duplicates, by hand."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from cleaning.batch import TEXTS
from cleaning.duplicates.exact import find_duplicates, text_hashes


def hashes(*rows: list[tuple[str, str]]) -> list[tuple[int, int]]:
    """Return the hash of each row, a list of (role, text)."""
    lines = [(row, place, *text) for row, texts in enumerate(rows) for place, text in enumerate(texts)]
    found = text_hashes(pl.DataFrame(lines, schema=TEXTS, orient="row"))
    return list(found.select("hash_high", "hash_low").iter_rows())


def test_blanks_and_the_encoding_of_accents_are_folded_and_nothing_else() -> None:
    one = [("user", "a  b\n"), ("assistant", "caf\u00e9")]
    same = [("user", " a\u3000b"), ("assistant", "cafe\u0301")]
    others = [
        [("user", "A b"), ("assistant", "café")],
        [("user", "a b"), ("assistant", "ca fé")],
        [("user", "a b café")],
        [("assistant", "a b"), ("user", "café")],
    ]
    first, second, *rest = hashes(one, same, *others)
    assert first == second
    assert len({first, *rest}) == 5
    assert len(set(hashes([("document", "10²")], [("document", "102")]))) == 2


def test_parts_of_one_turn_are_one_text_as_in_ids() -> None:
    alpaca = [("user", "do"), ("user", ""), ("assistant", "done")]
    pair = [("user", "do"), ("assistant", "done")]
    with_input = [("user", "do"), ("user", "this"), ("assistant", "done")]
    joined = [("user", "do\nthis"), ("assistant", "done")]
    found = hashes(alpaca, pair, with_input, joined)
    assert found[0] == found[1] != found[2] == found[3]


def part(folder: Path, name: str, rows: list[tuple[int, str, int | None]]) -> tuple[str, Path]:
    """Write a pass-1 part of (source_row, id, hash)."""
    path = folder / f"{name}.parquet"
    schema = {"source_row": pl.Int64, "id": pl.String, "hash_high": pl.UInt64, "hash_low": pl.UInt64}
    pl.DataFrame([(row, given, key, key) for row, given, key in rows], schema=schema, orient="row").write_parquet(path)
    return name, path


def test_the_first_by_file_and_row_represents_its_group(tmp_path: Path) -> None:
    parts = [
        part(tmp_path, "b", [(0, "one", 7), (1, "two", 8), (2, "bad", None)]),
        part(tmp_path, "a", [(0, "bad", None), (1, "one", 7), (2, "other", 7), (3, "three", 9)]),
    ]
    found = find_duplicates(parts)
    assert found.rows() == [("a", 1, "one", 1.0, "one"), ("a", 2, "one", 1.0, "one")]
    found = find_duplicates(parts[::-1])
    assert found.rows() == [("a", 2, "one", 1.0, "one"), ("b", 0, "one", 1.0, "one")]
    assert find_duplicates([]).is_empty()
