"""Rows as columns of texts: the short way for documents gives what the long way gives."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from cleaning.read_batch import read_texts
from utils.data.formats import RowError, format_named
from utils.data.reading import RawRow
from utils.data.records import raw_id
from utils.data.rows import id_and_texts

# Lone surrogates too: reading mends them, other callers need not have.
values = st.text(st.characters(), max_size=8) | st.none() | st.integers() | st.just("0123456789abcdef" * 2)
rows = st.dictionaries(st.sampled_from(["content", "text", "clean_id", "title"]), values, max_size=4)


@given(st.lists(rows, max_size=6))
@example(
    [{"text": "\ud800"}, {"content": 'a"\\\n\x00é字😀'}, {"content": "a", "text": "b"}, {"text": "", "clean_id": None}]
)
def test_documents_have_the_ids_and_texts_of_their_format(given_rows: list[dict[str, Any]]) -> None:
    fmt = format_named("document")
    found = read_texts([RawRow(number, 0, b"raw", row, None) for number, row in enumerate(given_rows)], fmt)
    lines = zip(found.row.tolist(), found.place.tolist(), found.role, found.text, strict=True)
    wanted = []
    for number, row in enumerate(given_rows):
        try:
            wanted_id, texts = id_and_texts(row, fmt)
        except RowError as error:
            assert found.errors[number] == f"not of format document: {error}"
            assert found.ids[number] == raw_id(b"raw")
            continue
        assert (found.errors[number], found.ids[number]) == (None, wanted_id)
        wanted += [(number, place, role, text) for place, (_, role, text) in enumerate(texts)]
    assert list(lines) == wanted
