"""Exact duplicates, by hand and against a dictionary."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaning.batch import TEXTS
from cleaning.duplicates.exact import first_equals, hash_columns, spoken


def said(*rows: list[tuple[str, str]], normalise: bool = True) -> pl.DataFrame:
    """Return what rows say, each a list of (role, text)."""
    lines = [(row, place, *text) for row, texts in enumerate(rows) for place, text in enumerate(texts)]
    return spoken(pl.DataFrame(lines, schema=TEXTS, orient="row"), normalise=normalise)


def test_blanks_and_the_encoding_of_accents_are_folded_and_nothing_else() -> None:
    one = [("user", "a  b\n"), ("assistant", "caf\u00e9")]
    same = [("user", " a\u3000b"), ("assistant", "cafe\u0301")]
    others = [
        [("user", "A b"), ("assistant", "café")],
        [("user", "a b"), ("assistant", "ca fé")],
        [("user", "a b café")],
        [("assistant", "a b"), ("user", "café")],
    ]
    first, second, *rest = said(one, same, *others)["key"].to_list()
    assert first == second
    assert len({first, *rest}) == 5
    ten, number = said([("document", "10²")], [("document", "102")])["key"]
    assert ten != number
    as_given = said(one, same, normalise=False)["key"].to_list()
    assert as_given == [
        "\x1fuser\x1fa  b\n\x1fassistant\x1fcaf\u00e9",
        "\x1fuser\x1f a\u3000b\x1fassistant\x1fcafe\u0301",
    ]


def test_parts_of_one_turn_are_one_text_as_in_ids() -> None:
    alpaca = [("user", "do"), ("user", ""), ("assistant", "done")]
    pair = [("user", "do"), ("assistant", "done")]
    with_input = [("user", "do"), ("user", "this"), ("assistant", "done")]
    joined = [("user", "do\nthis"), ("assistant", "done")]
    for normalise in (True, False):
        found = said(alpaca, pair, with_input, joined, normalise=normalise)["key"].to_list()
        assert found[0] == found[1] != found[2] == found[3]


def test_text_prompt_and_answer() -> None:
    rows = [
        [("user", "q"), ("assistant", "a"), ("user", "r"), ("assistant", "b")],
        [("document", "d")],
        [("user", " ")],
    ]
    for given_rows in (rows, rows[1:]):  # with turns to join, and without
        lines = {row: others for row, _, *others in said(*given_rows).iter_rows()}
        assert lines[len(given_rows) - 2] == [None, "d", ""]
        assert lines[len(given_rows) - 1] == [None, "", ""], "a row without text says nothing"
    assert said(*rows).row(0)[2:] == ("\x1fuser\x1fq\x1fuser\x1fr", "q\na\nr\nb", "a\nb")
    assert said([("assistant", "a")], normalise=False).row(0)[2:] == ("", "a", "a")


def test_rows_without_any_text_say_the_same_and_nothing_else_does() -> None:
    rows = [
        [("document", "")],
        [("user", ""), ("assistant", "")],
        [("user", ""), ("user", ""), ("assistant", "")],
        [("document", " ")],
        [("user", ""), ("assistant", "a")],
        [("user", "a"), ("assistant", "")],
    ]
    keys = {row: key for row, key, *_ in said(*rows, normalise=False).iter_rows()}
    assert [keys[row] for row in range(len(rows))] == [
        "",
        "",
        "",
        "\x1fdocument\x1f ",
        "\x1fassistant\x1fa",
        "\x1fuser\x1fa",
    ]
    folded = said(*rows)
    assert sorted(folded.filter(pl.col("key") == "")["row"]) == [0, 1, 2, 3]
    assert folded["prompt"].to_list().count(None) == 5, "only the row with an answer has a prompt"
    assert said([("document", "")]).height == 1 and said().is_empty()


def test_hashes_are_128_bits_and_null_stays_null() -> None:
    table = hash_columns(pl.Series(["a", None, "b", "a"]), "key")
    assert table.columns == ["key_high", "key_low"]
    assert table.row(1) == (None, None)
    assert table.row(0) == table.row(3) != table.row(2)
    assert hash_columns(pl.Series([None, None], dtype=pl.String), "key").rows() == [(None, None)] * 2
    assert hash_columns(pl.Series([], dtype=pl.String), "key").is_empty()


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=60), st.integers(1, 9))
def test_every_copy_names_the_first(keys: list[tuple[int, int]], step: int) -> None:
    rows = np.arange(0, step * len(keys), step, dtype=np.uint32)
    copies, firsts = first_equals(np.array(keys, np.uint64).reshape(-1, 2), rows)
    wanted = [(step * i, step * keys.index(key)) for i, key in enumerate(keys) if keys.index(key) < i]
    assert list(zip(copies.tolist(), firsts.tolist(), strict=True)) == wanted
